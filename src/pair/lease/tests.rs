use super::*;
use proptest::prelude::*;

const TOKEN: Token = Token { revision: 9, term: 2 };

#[test]
fn the_holder_writes_for_three_quarters_of_the_time_after_it_sent_the_last_keep_alive() {
    let mut lease = Lease::default();
    assert_eq!((lease.id(), lease.writes_until_ms()), (None, None));
    lease.granted(5, 8000, 1000);
    assert_eq!(lease.writes_until_ms(), None, "a lease alone is no key");
    lease.seen(Some((5, TOKEN)));
    assert_eq!(lease.writes_until_ms(), Some(7000));
    lease.renewed(5, 8000, 3000);
    lease.renewed(5, 8000, 2000);
    assert_eq!(
        lease.writes_until_ms(),
        Some(9000),
        "an answer that comes late takes nothing away"
    );
    lease.renewed(4, 8000, 6000);
    assert_eq!(lease.writes_until_ms(), Some(9000), "another lease is not ours");
    lease.seen(Some((6, TOKEN)));
    assert_eq!(lease.writes_until_ms(), None);
}

#[test]
fn a_lease_that_is_over_or_given_up_is_not_written_with() {
    let mut lease = Lease::default();
    lease.granted(5, 8000, 0);
    lease.seen(Some((5, TOKEN)));
    lease.resign();
    assert_eq!((lease.id(), lease.writes_until_ms()), (Some(5), None));
    lease.seen(Some((5, TOKEN)));
    lease.renewed(5, 0, 100);
    assert_eq!((lease.id(), lease.held(), lease.writes_until_ms()), (None, None, None));
}

/// etcd as its documents describe it: leases that end, a key that goes with its lease, a revision that only grows.
#[derive(Default)]
struct Etcd {
    /// Lease and when it ends.
    leases: Vec<(i64, u64)>,
    key: Option<(i64, Token)>,
    revision: u64,
    term: u64,
    down: bool,
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Grant,
    Renew(i64),
    /// Takes the key where nobody has it.
    Campaign(i64),
    Resign(i64),
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Granted(i64),
    Renewed(i64, u64),
    Holder(Option<(i64, Token)>),
    Resigned,
}

const TTL_MS: u64 = 4000;

impl Etcd {
    fn answer(&mut self, ask: Ask, now: u64) -> Option<Answer> {
        self.leases.retain(|(_, ends)| *ends > now);
        let lives = |leases: &[(i64, u64)], id: i64| leases.iter().any(|(known, _)| *known == id);
        self.key = self.key.filter(|(id, _)| lives(&self.leases, *id));
        if self.down {
            return None;
        }
        Some(match ask {
            Ask::Grant => {
                self.revision += 1;
                let id = i64::try_from(self.revision).unwrap();
                self.leases.push((id, now + TTL_MS));
                Answer::Granted(id)
            }
            Ask::Renew(id) => {
                let lease = self.leases.iter_mut().find(|(known, _)| *known == id);
                let alive = lease.map(|lease| lease.1 = now + TTL_MS).is_some();
                Answer::Renewed(id, if alive { TTL_MS } else { 0 })
            }
            Ask::Campaign(id) => {
                if self.key.is_none() && lives(&self.leases, id) {
                    self.revision += 1;
                    self.term += 1;
                    let token = Token {
                        revision: self.revision,
                        term: self.term,
                    };
                    self.key = Some((id, token));
                }
                Answer::Holder(self.key)
            }
            Ask::Resign(id) => {
                self.key = self.key.filter(|(holder, _)| *holder != id);
                Answer::Resigned
            }
        })
    }
}

/// One controller: at most one request is on its way. Its clock runs at `rate` thousandths of the true one.
struct Controller {
    lease: Lease,
    rate: u64,
    campaign: bool,
    /// The request with the own time of its sending, the true times at which it arrives and its answer does.
    out: Option<(Ask, u64, u64, u64)>,
    answer: Option<Answer>,
    paused_until: u64,
}

impl Controller {
    fn own(&self, now: u64) -> u64 {
        now * self.rate / 1000
    }

    fn writes(&self, now: u64) -> bool {
        // A pause only ever withholds writes; the clock goes on.
        now >= self.paused_until && self.lease.writes_until_ms().is_some_and(|until| self.own(now) < until)
    }

    fn take(&mut self, sent: u64, answer: Answer) {
        match answer {
            Answer::Granted(id) => self.lease.granted(id, TTL_MS, sent),
            Answer::Renewed(id, ttl_ms) => self.lease.renewed(id, ttl_ms, sent),
            Answer::Holder(holder) => self.lease.seen(holder),
            Answer::Resigned => {}
        }
    }

    /// What is asked for next, and whether it may be given up before the answer.
    fn next(&mut self, resigns: bool) -> Ask {
        let Some(id) = self.lease.id() else { return Ask::Grant };
        if resigns && self.lease.held().is_some() {
            self.lease.resign();
            return Ask::Resign(id);
        }
        self.campaign = !self.campaign;
        if self.campaign {
            Ask::Campaign(id)
        } else {
            Ask::Renew(id)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is late, lost, stopped or given up: never two writers, and tokens of writers only grow.
    #[test]
    fn there_are_never_two_writers(
        rates in prop::collection::vec(960_u64..1040, 3),
        // Delay there, delay back, whether it is lost on the way, a pause, whether it resigns, whether etcd is down.
        script in prop::collection::vec((0_u64..3000, 0_u64..3000, 0_u8..10, 0_u8..20, 0_u8..30, 0_u8..40), 600),
    ) {
        let mut etcd = Etcd::default();
        let mut controllers: Vec<_> = rates.iter().map(|rate| Controller {
            lease: Lease::default(), rate: *rate, campaign: false, out: None, answer: None, paused_until: 0,
        }).collect();
        let mut script = script.iter().copied().cycle();
        let mut newest = 0;
        let mut written = 0_u32;
        for now in (10_000_u64..190_000).step_by(20) {
            for controller in &mut controllers {
                let own = controller.own(now);
                if let Some((ask, sent, arrives, back)) = controller.out {
                    // What was sent arrives although its sender is stopped by now.
                    if now >= arrives && controller.answer.is_none() && arrives != u64::MAX {
                        controller.answer = etcd.answer(ask, now);
                        if let Some(out) = controller.out.as_mut() { out.2 = u64::MAX; }
                    }
                    if now >= back && now >= controller.paused_until {
                        controller.out = None;
                        if let Some(answer) = controller.answer.take() { controller.take(sent, answer); }
                    }
                } else if now >= controller.paused_until {
                    let (there, back, lost, pause, resigns, down) = script.next().unwrap();
                    let fast = lost > 2;
                    let (there, back) = if fast { (there / 20, back / 20) } else { (there, back) };
                    etcd.down = down == 0;
                    let ask = controller.next(resigns == 0);
                    controller.answer = None;
                    let arrives = if lost == 0 { u64::MAX } else { now + there };
                    controller.out = Some((ask, own, arrives, now + there + back));
                    if pause == 0 { controller.paused_until = now + 4 * back; }
                }
            }
            let writers: Vec<_> = controllers.iter().filter(|one| one.writes(now)).collect();
            prop_assert!(writers.len() <= 1, "{} writers at {now} ms", writers.len());
            if let Some(token) = writers.first().and_then(|one| one.lease.held()) {
                prop_assert!(token.revision >= newest, "an older token writes");
                newest = token.revision;
                written += 1;
            }
        }
        prop_assert!(written > 0, "nobody ever wrote");
    }
}
