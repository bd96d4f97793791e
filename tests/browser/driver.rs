//! A small `WebDriver` client (W3C) for a real Chromium: what a person does with mouse and keyboard, and what the page shows.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The key of an element's reference, by the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Longest time for what the page shows to come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one tab.
pub(crate) struct Browser {
    driver: Child,
    /// Kept open: it goes on talking.
    _said: BufReader<ChildStdout>,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts chromedriver on a free port and a tab of a size, with the languages of its user.
    pub(crate) async fn start(width: u32, height: u32, language: &str) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: install chromium-driver");
        let mut said = BufReader::new(driver.stdout.take().expect("its output"));
        // It first says the port that it was asked for, 0, then the one that it has.
        let port = said.by_ref().lines().map_while(Result::ok).find_map(|line| {
            let rest = line.split("on port ").nth(1)?;
            rest.trim().trim_end_matches('.').parse().ok().filter(|port| *port != 0)
        });
        let mut browser = Self {
            driver,
            _said: said,
            port: port.expect("chromedriver says its port"),
            session: String::new(),
        };
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            format!("--window-size={width},{height}"),
            format!("--lang={language}"),
        ]);
        let options = json!({ "args": arguments, "prefs": { "intl.accept_languages": language } });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let answer = browser.call("POST", "/session", Some(&wanted)).await;
        browser.session = answer["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("chromedriver listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        // chromedriver keeps the connection, whatever it is asked: read as much as it says.
        let mut reader = tokio::io::BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).await.expect("it answers");
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).await.expect("its whole answer");
        let body = std::str::from_utf8(&bytes).expect("text");
        let value: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        value["value"].clone()
    }

    async fn command(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if method == "GET" { None } else { Some(&body) };
        let value = self
            .call(method, &format!("/session/{}{path}", self.session), body)
            .await;
        assert!(value.get("error").is_none(), "{path}: {value:#}");
        value
    }

    pub(crate) async fn open(&self, url: &str) {
        self.command("POST", "/url", json!({ "url": url })).await;
    }

    /// What a function body answers in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// What the promise of a function body answers.
    pub(crate) async fn run_async(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, (e) => done({{failed: String(e)}}));"
        );
        self.command("POST", "/execute/async", json!({ "script": script, "args": [] }))
            .await
    }

    /// Waits until a function body answers true; answers how long that took.
    pub(crate) async fn until(&self, what: &str, script: &str) -> Duration {
        let began = Instant::now();
        loop {
            if self.run(script).await == Value::Bool(true) {
                return began.elapsed();
            }
            if began.elapsed() > PATIENCE {
                let shown = self.run("return location.href + '\\n' + document.body.innerText").await;
                panic!(
                    "not within {PATIENCE:?}: {what}\n{}",
                    shown.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for the first visible element of a selector whose text (or label) has `text` in it, and clicks on it.
    pub(crate) async fn click(&self, selector: &str, text: &str) {
        let find = format!(
            "return [...document.querySelectorAll({selector:?})].find((e) => (e.tagName === 'OPTION' || e.checkVisibility()) && \
             `${{e.textContent}} ${{e.getAttribute('aria-label') ?? ''}}`.includes({text:?})) ?? null"
        );
        let began = Instant::now();
        loop {
            let found = self.run(&find).await;
            if let Some(id) = found[ELEMENT].as_str() {
                let path = format!("/session/{}/element/{id}/click", self.session);
                let answer = self.call("POST", &path, Some(&json!({}))).await;
                if answer.get("error").is_none() {
                    return;
                }
                // It moved, or was replaced, between the two: look again.
            }
            assert!(
                began.elapsed() < PATIENCE,
                "no `{selector}` with `{text}` can be clicked: {found}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types into the field of a selector, in place of what stands there.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let found = self
            .command(
                "POST",
                "/element",
                json!({ "using": "css selector", "value": selector }),
            )
            .await;
        let id = found[ELEMENT].as_str().expect("an element").to_owned();
        self.command("POST", &format!("/element/{id}/clear"), json!({})).await;
        self.command("POST", &format!("/element/{id}/value"), json!({ "text": text }))
            .await;
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn devtools(&self, name: &str, parameters: Value) {
        self.command(
            "POST",
            "/goog/cdp/execute",
            json!({ "cmd": name, "params": parameters }),
        )
        .await;
    }

    /// Errors and warnings of the page's console since the last look.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", json!({ "type": "browser" })).await;
        let lines = log.as_array().cloned().unwrap_or_default();
        let of = lines
            .iter()
            .filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        of.map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    pub(crate) async fn quit(mut self) {
        self.call("DELETE", &format!("/session/{}", self.session), None).await;
        self.driver.kill().expect("chromedriver ends");
        self.driver.wait().expect("chromedriver ended");
    }
}
