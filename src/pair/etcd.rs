//! The few calls of etcd that a pair needs, by its JSON gateway (`/v3/…`, etcd 3.4 and later).
//!
//! In that JSON keys and values are base64, 64-bit numbers are text, and what is zero or empty is left out.

use super::lease::Token;
use crate::connect::http::{Ask, Client, Url};
use crate::connect::tls;
use crate::site::PairSettings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// The members of etcd, asked one after the other until one answers.
#[derive(Debug)]
pub(super) struct Etcd {
    members: Vec<Client>,
    /// The one that answered last.
    turn: usize,
    keys: Keys,
}

/// Where a pair's keys are, in base64.
#[derive(Debug)]
struct Keys {
    leader: String,
    term: String,
    mind: String,
    /// All members, and the end of their range.
    members: (String, String),
    own: String,
}

/// Who holds the pair's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub lease: i64,
    pub token: Token,
    pub name: String,
}

/// What is there at one revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sight {
    pub holder: Option<Holder>,
    /// Controllers that live.
    pub members: usize,
    /// Revision of the shared memory; 0 for none.
    pub mind_revision: u64,
}

impl Etcd {
    pub(super) fn new(settings: &PairSettings, site: &str, patience: Duration) -> Result<Self, String> {
        let mut members = Vec::new();
        for endpoint in &settings.endpoints {
            let url = Url::parse(endpoint).map_err(|error| format!("pair.endpoints `{endpoint}`: {error}"))?;
            let tls = if url.tls {
                let config = tls::client(&settings.tls).map_err(|error| format!("pair.tls: {error}"))?;
                Some(TlsConnector::from(Arc::clone(&config)))
            } else {
                None
            };
            members.push(Client::new(url, tls, patience));
        }
        let name = if settings.name.is_empty() { site } else { &settings.name };
        let key = |tail: &str| STANDARD.encode(format!("/isotherm/{name}/{tail}"));
        Ok(Self {
            members,
            turn: 0,
            keys: Keys {
                leader: key("leader"),
                term: key("term"),
                mind: key("mind"),
                // `0` follows `/`.
                members: (key("members/"), key("members0")),
                own: key(&format!("members/{}", settings.id)),
            },
        })
    }

    /// Asks for a lease; answers its number and the time to live that it has, ms.
    pub(super) async fn grant(&mut self, ttl_s: u64) -> Result<(i64, u64), String> {
        let answer = self.call("lease/grant", &json!({ "TTL": ttl_s.to_string() })).await?;
        let id = number(&answer["ID"]).filter(|id| *id != 0);
        let id = id.ok_or("etcd gave a lease without a number")?;
        Ok((id, ttl_ms(&answer)))
    }

    /// Keeps a lease alive; answers its time to live, ms, which is 0 where it is over.
    pub(super) async fn keep_alive(&mut self, lease: i64) -> Result<u64, String> {
        let answer = self
            .call("lease/keepalive", &json!({ "ID": lease.to_string() }))
            .await?;
        let result = &answer["result"];
        if number(&result["ID"]) != Some(lease) {
            return Err("etcd answered a keep-alive for another lease".into());
        }
        Ok(ttl_ms(result))
    }

    /// Says who is there: our name under our lease.
    pub(super) async fn announce(&mut self, lease: i64, name: &str) -> Result<(), String> {
        let put = json!({ "key": self.keys.own, "value": STANDARD.encode(name), "lease": lease.to_string() });
        self.call("kv/put", &put).await.map(|_| ())
    }

    /// Looks who holds the key, who lives and what is shared, all at one revision.
    pub(super) async fn look(&mut self) -> Result<Sight, String> {
        let asked = json!({ "compare": [], "success": self.looks(), "failure": [] });
        sight(&self.call("kv/txn", &asked).await?, 0)
    }

    /// Takes the key where nobody has it, and counts the term in the same step.
    pub(super) async fn campaign(&mut self, lease: i64, name: &str) -> Result<Sight, String> {
        let keys = &self.keys;
        let value = STANDARD.encode(name);
        let mut wins = vec![
            json!({ "request_put": { "key": keys.leader, "value": value, "lease": lease.to_string() } }),
            json!({ "request_put": { "key": keys.term, "value": value } }),
        ];
        wins.extend(self.looks());
        let asked = json!({
            "compare": [{ "key": keys.leader, "target": "CREATE", "result": "EQUAL", "create_revision": "0" }],
            "success": wins,
            "failure": self.looks(),
        });
        let answer = self.call("kv/txn", &asked).await?;
        let skip = if answer["succeeded"] == true { 2 } else { 0 };
        sight(&answer, skip)
    }

    /// Shares the memory, where the key is still the one of `token`.
    pub(super) async fn share(&mut self, token: Token, mind: &[u8]) -> Result<bool, String> {
        let put = json!({ "request_put": { "key": self.keys.mind, "value": STANDARD.encode(mind) } });
        self.as_holder(token, put).await
    }

    /// Gives the key up, where it is still the one of `token`.
    pub(super) async fn resign(&mut self, token: Token) -> Result<bool, String> {
        let delete = json!({ "request_delete_range": { "key": self.keys.leader } });
        self.as_holder(token, delete).await
    }

    /// Ends a lease, and with it our name.
    pub(super) async fn revoke(&mut self, lease: i64) -> Result<(), String> {
        self.call("lease/revoke", &json!({ "ID": lease.to_string() }))
            .await
            .map(|_| ())
    }

    /// The shared memory.
    pub(super) async fn mind(&mut self) -> Result<Option<Vec<u8>>, String> {
        let answer = self.call("kv/range", &json!({ "key": self.keys.mind })).await?;
        let Some(value) = answer["kvs"][0]["value"].as_str() else {
            return Ok(None);
        };
        let mind = STANDARD.decode(value);
        mind.map(Some)
            .map_err(|error| format!("the shared memory is not base64: {error}"))
    }

    async fn as_holder(&mut self, token: Token, then: Value) -> Result<bool, String> {
        let compare = json!([{
            "key": self.keys.leader, "target": "CREATE", "result": "EQUAL", "create_revision": token.revision.to_string(),
        }]);
        let asked = json!({ "compare": compare, "success": [then], "failure": [] });
        Ok(self.call("kv/txn", &asked).await?["succeeded"] == true)
    }

    fn looks(&self) -> Vec<Value> {
        let keys = &self.keys;
        vec![
            json!({ "request_range": { "key": keys.leader } }),
            json!({ "request_range": { "key": keys.term, "keys_only": true } }),
            json!({ "request_range": { "key": keys.mind, "keys_only": true } }),
            json!({ "request_range": { "key": keys.members.0, "range_end": keys.members.1, "count_only": true } }),
        ]
    }

    /// Asks the member that answered last, then each of the others once.
    async fn call(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        let body = Bytes::from(body.to_string());
        let mut last = "no endpoint is named".to_owned();
        for _ in 0..self.members.len() {
            let turn = self.turn % self.members.len();
            let Some(member) = self.members.get_mut(turn) else {
                break;
            };
            let ask = Ask {
                method: Method::POST,
                target: format!("/v3/{path}"),
                headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
                body: body.clone(),
            };
            match member.ask(ask).await {
                Ok(answer) if answer.status.is_success() => {
                    return serde_json::from_str(&answer.text)
                        .map_err(|error| format!("etcd's answer to {path} is not JSON: {error}"));
                }
                Ok(answer) => last = format!("etcd refuses {path}: {} {}", answer.status, cut(&answer.text)),
                Err(error) => last = error,
            }
            self.turn = turn + 1;
        }
        Err(last)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

/// A 64-bit number, which is text in this JSON.
fn number(value: &Value) -> Option<i64> {
    value.as_str()?.parse().ok()
}

fn natural(value: &Value) -> u64 {
    number(value)
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or_default()
}

fn ttl_ms(answer: &Value) -> u64 {
    natural(&answer["TTL"]).saturating_mul(1000)
}

/// Reads the four answers of [`Etcd::looks`], the first `skip` being those of puts.
fn sight(answer: &Value, skip: usize) -> Result<Sight, String> {
    let range = |index: usize| {
        let range = answer["responses"]
            .get(skip + index)
            .and_then(|one| one.get("response_range"));
        range.ok_or_else(|| "etcd's answer lacks a range that was asked for".to_owned())
    };
    let (leader, term, mind, members) = (range(0)?, range(1)?, range(2)?, range(3)?);
    let key = &leader["kvs"][0];
    let holder = key.is_object().then(|| Holder {
        lease: number(&key["lease"]).unwrap_or_default(),
        token: Token {
            revision: natural(&key["create_revision"]),
            term: natural(&term["kvs"][0]["version"]),
        },
        name: text(&key["value"]),
    });
    Ok(Sight {
        holder,
        members: usize::try_from(natural(&members["count"])).unwrap_or_default(),
        mind_revision: natural(&mind["kvs"][0]["mod_revision"]),
    })
}

/// A name that another process wrote: bounded, and without what could garble a log.
fn text(value: &Value) -> String {
    let bytes = value
        .as_str()
        .and_then(|value| STANDARD.decode(value).ok())
        .unwrap_or_default();
    let name = String::from_utf8_lossy(&bytes);
    name.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_answers_is_read_with_what_it_leaves_out() {
        let answer = json!({ "succeeded": true, "responses": [
            { "response_put": {} }, { "response_put": {} },
            { "response_range": { "kvs": [{ "create_revision": "7", "lease": "41", "value": "YQ==" }], "count": "1" } },
            { "response_range": { "kvs": [{ "version": "3" }] } },
            { "response_range": {} },
            { "response_range": { "count": "2" } },
        ] });
        let holder = Holder {
            lease: 41,
            token: Token { revision: 7, term: 3 },
            name: "a".into(),
        };
        let seen = Sight {
            holder: Some(holder),
            members: 2,
            mind_revision: 0,
        };
        assert_eq!(sight(&answer, 2), Ok(seen));
        let nobody = json!({ "responses": vec![json!({ "response_range": {} }); 4] });
        assert_eq!(sight(&nobody, 0), Ok(Sight::default()));
        for hostile in [
            json!({}),
            json!([]),
            json!({ "responses": [{ "response_put": {} }] }),
            Value::Null,
        ] {
            assert!(sight(&hostile, 0).is_err(), "{hostile}");
        }
    }
}
