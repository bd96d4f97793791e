//! The real-peer tier of the scheduler: Debian's Slurm with munge, one controller, two node daemons and slurmrestd, all
//! on loopback. Run as root by `cargo test --test real_peers_slurm -- --ignored`; what is not installed is said to be
//! missing and fails.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use isotherm::api::{self, JobDesk, Mode};
use isotherm::jobs::Outlooks;
use isotherm::site::{Secret, Site, WorkloadSettings, load_embedded};
use isotherm::snapshot::{JobState, Now};
use isotherm::workload::{Events, Feed, NowFn};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ends a child process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Slurm in a directory of its own. Its daemons end with it.
struct Cluster {
    dir: PathBuf,
    controller: Option<Running>,
    _munge: Running,
    nodes: Vec<Running>,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn daemon(program: &str, arguments: &[&str]) -> Running {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap_or_else(|error| {
        panic!("{program} is missing ({error}): install Debian's slurm-wlm, slurmrestd, slurm-wlm-jwt-plugin and munge")
    }))
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn secret(path: &Path, owner: Option<&str>) {
    let bytes: Vec<u8> = (0..1024_u32)
        .map(|index| (index * 7 + std::process::id()).to_le_bytes()[0])
        .collect();
    fs::write(path, bytes).unwrap();
    if let Some(owner) = owner {
        let path = path.to_str().unwrap();
        assert!(
            Command::new("chown").args([owner, path]).status().unwrap().success(),
            "the user {owner} is missing"
        );
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
}

impl Cluster {
    fn start(dir: &Path) -> Self {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        for part in ["state", "spool/r01n01", "spool/r01n02", "run"] {
            fs::create_dir_all(dir.join(part)).unwrap();
        }
        secret(&dir.join("munge.key"), Some("munge:munge"));
        secret(&dir.join("jwt.key"), None);
        let owned = Command::new("chown")
            .args(["munge:munge", dir.join("run").to_str().unwrap()])
            .status();
        assert!(
            owned.unwrap().success(),
            "the user munge is missing: install Debian's munge"
        );
        let at = dir.display();
        let munge = daemon(
            "setpriv",
            &[
                "--reuid=munge",
                "--regid=munge",
                "--clear-groups",
                "/usr/sbin/munged",
                "--foreground",
                &format!("--key-file={at}/munge.key"),
                &format!("--socket={at}/run/munge.socket"),
                &format!("--pid-file={at}/run/munged.pid"),
                &format!("--log-file={at}/run/munged.log"),
                &format!("--seed-file={at}/run/munged.seed"),
            ],
        );
        until_std("munge's socket", || dir.join("run/munge.socket").exists());

        let host = String::from_utf8(Command::new("hostname").arg("-s").output().unwrap().stdout).unwrap();
        let host = host.trim();
        let mut conf = format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={}\nSlurmUser=root\nAuthType=auth/munge\n\
             AuthInfo=socket={at}/run/munge.socket\nAuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={at}/jwt.key\n\
             StateSaveLocation={at}/state\nSlurmdSpoolDir={at}/spool/%n\nSlurmctldPidFile={at}/run/slurmctld.pid\n\
             SlurmdPidFile={at}/run/slurmd-%n.pid\nSlurmctldLogFile={at}/slurmctld.log\nSlurmdLogFile={at}/slurmd-%n.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/cons_tres\n\
             SelectTypeParameters=CR_Core\nGresTypes=gpu\nReturnToService=2\nMpiDefault=none\n\
             SchedulerParameters=bf_interval=2,batch_sched_delay=0,sched_interval=2\n\
             PrologSlurmctld={at}/prolog.sh\nEpilogSlurmctld={at}/epilog.sh\n",
            free_port()
        );
        for node in ["r01n01", "r01n02"] {
            writeln!(
                conf,
                "NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={} CPUs=1 Gres=gpu:4 State=UNKNOWN",
                free_port()
            )
            .unwrap();
        }
        conf += "PartitionName=gpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n";
        write(&dir.join("slurm.conf"), &conf, 0o644);
        for gpu in 0..4 {
            fs::write(dir.join(format!("gpu{gpu}")), "").unwrap();
        }
        write(&dir.join("gres.conf"), &format!("Name=gpu File={at}/gpu[0-3]\n"), 0o644);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/slurm/announce.sh");
        for name in ["prolog", "epilog"] {
            let text = format!(
                "#!/bin/sh\nISOTHERM_FEED_CONF={at}/feed.conf exec {}\n",
                script.display()
            );
            write(&dir.join(format!("{name}.sh")), &text, 0o755);
        }
        let mut cluster = Self {
            dir: dir.to_owned(),
            controller: None,
            _munge: munge,
            nodes: Vec::new(),
        };
        cluster.start_controller();
        let conf = format!("{at}/slurm.conf");
        cluster.nodes = ["r01n01", "r01n02"]
            .map(|node| daemon("slurmd", &["-D", "-N", node, "-f", &conf]))
            .into();
        until_std("two idle nodes", || {
            cluster.run("sinfo", &["-h", "-t", "idle", "-o", "%D"]).trim() == "2"
        });
        cluster
    }

    fn start_controller(&mut self) {
        let conf = format!("{}/slurm.conf", self.dir.display());
        self.controller = Some(daemon("slurmctld", &["-D", "-f", &conf]));
    }

    /// What a command of Slurm prints; empty where it fails.
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program)
            .args(arguments)
            .env("SLURM_CONF", self.dir.join("slurm.conf"))
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn submit(&self, arguments: &[&str]) -> String {
        let all = [&["--parsable", "-o", "/dev/null"], arguments, &["--wrap", "sleep 600"]].concat();
        let id = self.run("sbatch", &all).trim().to_owned();
        assert!(id.parse::<u32>().is_ok(), "sbatch answered `{id}`");
        id
    }

    fn squeue(&self) -> WorkloadSettings {
        let conf = format!("SLURM_CONF={}/slurm.conf", self.dir.display());
        WorkloadSettings::Slurm {
            command: ["env", &conf, "squeue", "--json"].map(str::to_owned).into(),
            period_s: 1.0,
        }
    }
}

fn until_std(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn feed(workload: WorkloadSettings) -> (Feed, Arc<Site>) {
    let mut site: Site = load_embedded("demo").unwrap().unwrap();
    site.workload = workload;
    "a-token-for-scripts".clone_into(&mut site.api.feed_token);
    let site = Arc::new(site);
    let begun = Instant::now();
    let clock: NowFn = Arc::new(move || Now {
        mono_ms: u64::try_from(begun.elapsed().as_millis()).unwrap(),
        wall_ms: i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap(),
        utc_offset_s: 0,
    });
    (Feed::start(Arc::clone(&site), clock, 1.0), site)
}

fn state_of(feed: &Feed, id: &str) -> Option<JobState> {
    let queue = feed.queue();
    queue.jobs.iter().find(|job| job.id == id).map(|job| job.state)
}

fn runs(feed: &Feed, id: &str) -> bool {
    matches!(state_of(feed, id), Some(JobState::Running { .. }))
}

/// The door for events alone.
struct Door(Events);

impl JobDesk for Door {
    fn outlooks(&self) -> Option<Arc<Outlooks>> {
        None
    }

    fn take_event(&self, event: &[u8]) -> Result<(), String> {
        self.0.take(event).map_err(|error| error.to_string())
    }
}

struct NoHistory;

impl api::History for NoHistory {
    fn series(&self, _: &str, _: &[(&str, &str)], _: i64, _: i64, _: usize) -> Result<Vec<api::Sample>, String> {
        Err("no record".into())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's slurm-wlm, slurmrestd, slurm-wlm-jwt-plugin and munge, and root"]
#[expect(
    clippy::too_many_lines,
    reason = "one cluster, walked through once: starting it costs seconds"
)]
async fn a_real_slurm_is_followed_by_squeue_by_slurmrestd_and_by_its_prolog() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(dir.path());

    // squeue: what runs, where, on how many GPUs; what waits, and for how long.
    let (by_squeue, site) = feed(cluster.squeue());
    let first = cluster.submit(&["--gres=gpu:4", "-N2", "-t", "10", "-J", "pretrain \"70b\""]);
    let second = cluster.submit(&["--gres=gpu:2", "-N1", "-t", "5"]);
    until("the first job", || runs(&by_squeue, &first)).await;
    let queue = by_squeue.queue();
    let job = queue.jobs.iter().find(|job| job.id == first).unwrap();
    assert_eq!(
        (job.gpus, job.node_count, job.nodes.clone()),
        (8, 2, vec!["r01n01".to_owned(), "r01n02".to_owned()])
    );
    assert_eq!((job.name.as_str(), job.time_limit_s), ("pretrain \"70b\"", 600.0));
    until("the second job with an expected start", || {
        matches!(
            state_of(&by_squeue, &second),
            Some(JobState::Pending {
                expected_start_ms: Some(_)
            })
        )
    })
    .await;
    assert_eq!((by_squeue.status().unknown_nodes, by_squeue.status().failures), (0, 0));

    // slurmrestd, with a wrong token and then the right one.
    let token_file = dir.path().join("token");
    write(&token_file, "SLURM_JWT=wrong\n", 0o600);
    let port = free_port();
    let conf = format!("{}/slurm.conf", dir.path().display());
    let (of_conf, address) = (format!("SLURM_CONF={conf}"), format!("127.0.0.1:{port}"));
    // It refuses to run as root.
    let arguments = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "env",
        "SLURM_JWT=daemon",
        of_conf.as_str(),
        "slurmrestd",
        "-f",
        conf.as_str(),
        "-a",
        "rest_auth/jwt",
        "-s",
        "openapi/v0.0.38",
        address.as_str(),
    ];
    let _restd = daemon("setpriv", &arguments);
    until("slurmrestd", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    let (by_rest, _) = feed(WorkloadSettings::Slurmrestd {
        url: format!("http://127.0.0.1:{port}/slurm/v0.0.38"),
        user: "root".into(),
        token: Secret::File(token_file.display().to_string()),
        period_s: 1.0,
    });
    until("the refusal", || {
        by_rest
            .status()
            .last_error
            .is_some_and(|error| error.contains("slurmrestd answers"))
    })
    .await;
    assert!(by_rest.queue().jobs.is_empty());
    write(
        &token_file,
        &cluster.run("scontrol", &["token", "username=root", "lifespan=3600"]),
        0o600,
    );
    until("both jobs over REST", || by_rest.queue().jobs.len() == 2).await;
    until("the same queue both ways", || {
        by_rest.queue().jobs == by_squeue.queue().jobs
    })
    .await;
    let codes: Vec<_> = by_rest.take_notices().into_iter().map(|notice| notice.code).collect();
    assert!(
        codes.contains(&"feed_failing".to_owned()) && codes.contains(&"feed_back".to_owned()),
        "{codes:?}"
    );
    by_rest.shutdown().await;

    // The prolog announces before the job runs, the epilog before squeue is asked again.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let feed_conf = format!("ISOTHERM_URL={url}\nISOTHERM_FEED_TOKEN=a-token-for-scripts\nISOTHERM_LEAD_S=4\n");
    write(&dir.path().join("feed.conf"), &feed_conf, 0o600);
    let (sender, _requests) = tokio::sync::mpsc::channel(1);
    let desk = Arc::new(Door(by_squeue.events()));
    let (_board, shared) = api::open(site, Mode::Plant, 1.0, Arc::new(NoHistory), desk, sender);
    tokio::spawn(api::serve(listener, shared, std::future::pending()));
    cluster.run("scancel", &[&first]);
    until("the announced end", || state_of(&by_squeue, &first).is_none()).await;
    until("the announced start", || {
        matches!(state_of(&by_squeue, &second), Some(JobState::Starting { .. }))
    })
    .await;
    let announced = Instant::now();
    let queue = by_squeue.queue();
    let job = queue.jobs.iter().find(|job| job.id == second).unwrap();
    assert_eq!(
        (job.gpus, job.nodes.len()),
        (2, 1),
        "GPUs from the queue, the node from the prolog"
    );
    let JobState::Starting { start_ms } = job.state else {
        unreachable!()
    };
    until("the start", || runs(&by_squeue, &second)).await;
    let Some(JobState::Running { start_ms: began_ms }) = state_of(&by_squeue, &second) else {
        unreachable!()
    };
    println!(
        "announced {:.1} s before the job was seen to run; expected start within {} ms of Slurm's own",
        announced.elapsed().as_secs_f64(),
        (start_ms - began_ms).abs()
    );
    assert!(
        announced.elapsed() > Duration::from_secs(2),
        "the announcement came first"
    );
    assert!(by_squeue.status().announced >= 2);

    // Slurm dies: the queue stays and grows old. It comes back: the queue goes on.
    let age = by_squeue.queue().mono_ms;
    cluster.controller = None;
    until("the loss", || by_squeue.status().last_error.is_some()).await;
    assert_eq!(by_squeue.queue().jobs.len(), 1);
    cluster.start_controller();
    until("the return", || {
        by_squeue.status().last_error.is_none() && by_squeue.queue().mono_ms > age
    })
    .await;
    let codes: Vec<_> = by_squeue.take_notices().into_iter().map(|notice| notice.code).collect();
    assert!(
        codes.contains(&"feed_failing".to_owned()) && codes.contains(&"feed_back".to_owned()),
        "{codes:?}"
    );
    cluster.run("scancel", &[&second]);
    until("an empty queue", || by_squeue.queue().jobs.is_empty()).await;
    by_squeue.shutdown().await;
}
