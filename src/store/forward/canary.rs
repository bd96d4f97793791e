//! The canary: a row of the forwarding's own, written last in a batch and read back, since some servers accept what they
//! then drop. Its label has every character that needs care.

use super::sink::authorisation;
use super::{Pace, Row};
use crate::connect::http::{Ask, Client, Url, percent};
use crate::site::{ForwardSettings, ReadBack};
use crate::snapshot::Quality;
use crate::store::Sample;
use crate::store::names::SeriesName;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// The label that has to come back as it went.
const PROBE: &str = "a b,c=d\"e'f";

/// How far back the canary is looked for, s.
const WINDOW_S: u64 = 3600;

/// Asks a database for the canary.
#[derive(Debug)]
pub(super) struct Canary {
    read_back: ReadBack,
    site: String,
    org: String,
    bucket: String,
    base: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    client: Client,
}

/// The row of a canary: its value is its time, ms.
pub(super) fn row(ms: i64) -> Row {
    let sample = Sample {
        ms,
        value: value(ms),
        quality: Quality::Good,
    };
    (Arc::new(SeriesName::new("canary", &[("probe", PROBE)])), sample)
}

/// The value of the canary of a time.
pub(super) const fn value(ms: i64) -> f64 {
    ms as f64
}

impl Canary {
    /// `None` where nothing shall be read back.
    pub(super) fn new(
        settings: &ForwardSettings,
        site: &str,
        token: &str,
        tls: Option<TlsConnector>,
        pace: &Pace,
    ) -> Result<Option<Self>, String> {
        if settings.read_back == ReadBack::None {
            return Ok(None);
        }
        let own = !settings.read_url.is_empty();
        let text = if own { &settings.read_url } else { &settings.url };
        let mut url = Url::parse(text).map_err(|why| format!("forward.read_url: {why}"))?;
        if !own {
            // The path of the writes is no place to read from.
            url.path.clear();
        }
        Ok(Some(Self {
            read_back: settings.read_back,
            site: site.to_owned(),
            org: settings.org.clone(),
            bucket: settings.bucket.clone(),
            base: url.path.clone(),
            headers: authorisation(settings.protocol, token)?.into_iter().collect(),
            client: Client::new(url, tls, pace.timeout),
        }))
    }

    /// The newest canary that the database has; `None` where it has none.
    pub(super) async fn newest(&mut self, now_ms: i64) -> Result<Option<f64>, String> {
        let ask = match self.read_back {
            ReadBack::Flux => self.flux(),
            ReadBack::Prometheus | ReadBack::None => self.prometheus(now_ms),
        };
        let answer = self.client.ask(ask).await?;
        if !answer.status.is_success() {
            let said: String = answer.text.chars().take(200).collect();
            return Err(format!("{}: {said}", answer.status));
        }
        match self.read_back {
            ReadBack::Flux => Ok(from_csv(&answer.text)),
            ReadBack::Prometheus | ReadBack::None => from_json(&answer.text),
        }
    }

    fn prometheus(&self, now_ms: i64) -> Ask {
        let (site, probe) = (quoted(&self.site), quoted(PROBE));
        let query = format!("last_over_time(isotherm_canary{{site={site},probe={probe}}}[{WINDOW_S}s])");
        // A time in the query keeps servers from leaving the newest samples out.
        let time = now_ms.div_euclid(1000) + 1;
        Ask {
            method: Method::GET,
            target: format!(
                "{}/api/v1/query?nocache=1&time={time}&query={}",
                self.base,
                percent(&query)
            ),
            headers: self.headers.clone(),
            body: Bytes::new(),
        }
    }

    fn flux(&self) -> Ask {
        let (bucket, site, probe) = (quoted(&self.bucket), quoted(&self.site), quoted(PROBE));
        let query = format!(
            "from(bucket: {bucket}) |> range(start: -{WINDOW_S}s) |> filter(fn: (r) => r._measurement == \"isotherm\" and \
             r._field == \"canary\" and r.site == {site} and r.probe == {probe}) |> last() |> keep(columns: [\"_value\"])"
        );
        let fixed = [(CONTENT_TYPE, "application/vnd.flux"), (ACCEPT, "application/csv")];
        let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
        Ask {
            method: Method::POST,
            target: format!("{}/api/v2/query?org={}", self.base, percent(&self.org)),
            headers: self.headers.iter().cloned().chain(fixed).collect(),
            body: Bytes::from(query),
        }
    }
}

/// A string literal of both query languages.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    out
}

/// The largest value of an instant vector.
fn from_json(text: &str) -> Result<Option<f64>, String> {
    let answer: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let results = answer.pointer("/data/result").and_then(serde_json::Value::as_array);
    let results = results.ok_or("the answer has no data.result")?;
    let values = results
        .iter()
        .filter_map(|series| series.pointer("/value/1")?.as_str()?.parse::<f64>().ok());
    Ok(values.max_by(f64::total_cmp))
}

/// The largest value in the column `_value` of an annotated CSV.
fn from_csv(text: &str) -> Option<f64> {
    let mut column = None;
    let mut newest: Option<f64> = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split(',').map(str::trim);
        if let Some(place) = cells.clone().position(|cell| cell == "_value") {
            column = Some(place);
        } else if let Some(value) = column.and_then(|place| cells.nth(place)?.parse::<f64>().ok()) {
            newest = Some(newest.map_or(value, |newest| newest.max(value)));
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_both_kinds_are_read() {
        let json = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"site":"a"},"value":[1780000000,"1780000000"]},{"metric":{},"value":[1,"7"]}]}}"#;
        assert_eq!(from_json(json), Ok(Some(1.78e9)));
        assert_eq!(from_json(r#"{"data":{"result":[]}}"#), Ok(None));
        assert!(from_json("OK").is_err() && from_json("{}").is_err());
        let csv = "#datatype,string,long,double\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n,,0,1.78e9\r\n\r\n";
        assert_eq!(from_csv(csv), Some(1.78e9));
        assert_eq!(from_csv("\r\n"), None);
        assert_eq!(quoted("a\"b\\"), r#""a\"b\\""#);
    }
}
