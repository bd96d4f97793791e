//! The page in a real Chromium: every page and every action, with axe-core on each page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod driver;

use crate::support::{Rig, TOKEN, demo_site, level, rig};
use driver::Browser;
use serde_json::json;
use tempfile::tempdir;

const PAGES: [(&str, &str); 10] = [
    ("hall", "Hall"),
    ("cdus", "CDUs"),
    ("cdus/cdu1", "CDUs"),
    ("queue", "Queue"),
    ("energy", "Energy"),
    ("green", "Green"),
    ("record", "Record"),
    ("alarms", "Alarms"),
    ("control", "Control"),
    ("audit", "Audit"),
];

/// What people see: text of the page, without what is hidden.
const SHOWN: &str = "document.getElementById('main').innerText";

fn base(rig: &Rig) -> String {
    format!("http://{}", rig.service.address())
}

async fn hall(dir: &std::path::Path) -> Rig {
    let rig = rig(demo_site(dir), None).await;
    // Patient: the browser's start takes the machine for itself.
    rig.until("normal level", 120, |state| level(state) == "normal").await;
    rig
}

/// axe-core's rules on the page as it stands; the serious and critical findings.
async fn findings(browser: &Browser, axe: &str) -> Vec<String> {
    browser.run(axe).await;
    let found = browser
        .run_async(
            "const { violations } = await axe.run(document, { resultTypes: ['violations'] }); \
             return violations.filter((v) => ['serious', 'critical'].includes(v.impact)) \
             .map((v) => `${v.id}: ${v.help}: ` + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? '')).join(' | '));",
        )
        .await;
    let list = found.as_array().unwrap_or_else(|| panic!("axe: {found}"));
    list.iter()
        .map(|each| each.as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Every page draws in both schemes, wide and on a phone, without an error, without scrolling sideways and without a
/// serious finding of axe-core (`ISOTHERM_AXE` names its `axe.min.js`).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium, chromedriver and axe-core"]
async fn every_page_draws_and_is_accessible() {
    let axe = std::env::var("ISOTHERM_AXE").expect("ISOTHERM_AXE names axe.min.js of the npm package axe-core");
    let axe = std::fs::read_to_string(&axe).unwrap_or_else(|error| panic!("{axe}: {error}"));
    let dir = tempdir().unwrap();
    let rig = hall(dir.path()).await;
    let mut wrong = Vec::new();
    for (width, height) in [(1400, 900), (390, 844)] {
        let browser = Browser::start(width, height, "en").await;
        browser
            .devtools(
                "Emulation.setDeviceMetricsOverride",
                json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
            )
            .await;
        for scheme in ["light", "dark"] {
            let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.devtools("Emulation.setEmulatedMedia", features).await;
            for (page, title) in PAGES {
                browser.open("about:blank").await;
                browser.open(&format!("{}/#/{page}", base(&rig))).await;
                let drawn = format!(
                    "return document.body.className === 'live' && document.querySelector('.page-title')?.textContent === {title:?} \
                     && {SHOWN}.length > 80"
                );
                browser.until(page, &drawn).await;
                let place = format!("{page}, {scheme}, {width} wide");
                let over = browser
                    .run("return document.documentElement.scrollWidth - innerWidth")
                    .await;
                if over.as_f64().is_none_or(|over| over > 0.0) {
                    wrong.push(format!("{place}: {over} px wider than the screen"));
                }
                wrong.extend(
                    findings(&browser, &axe)
                        .await
                        .into_iter()
                        .map(|what| format!("{place}: {what}")),
                );
                // Before the first queue is read there is no outlook of jobs, which the page asks for.
                let complaints = browser.complaints().await;
                let complaints: Vec<String> = complaints
                    .into_iter()
                    .filter(|line| !line.contains("/api/v1/jobs"))
                    .collect();
                wrong.extend(complaints.into_iter().map(|what| format!("{place}: {what}")));
            }
        }
        let paint = browser
            .run("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
            .await;
        println!("first contentful paint at {width} px: {paint} ms");
        browser.quit().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    rig.stop().await;
}

/// The longest time that the dialog allows: the hall's time runs fast here.
async fn longest(browser: &Browser) {
    browser
        .run("const field = document.querySelector('#dialog input[name=minutes]'); if (field) field.value = field.max")
        .await;
}

/// Fills a dialog's form with the token where it asks for one, and applies it.
async fn apply(browser: &Browser, button: &str) {
    longest(browser).await;
    let asks = browser
        .run("return document.querySelector('#dialog[open] input[name=token]:enabled') !== null")
        .await;
    if asks == true {
        browser.fill("#dialog input[name=token]", TOKEN).await;
    }
    browser.click("#dialog button[type=submit]", button).await;
    browser
        .until("the dialog closes", "return !document.getElementById('dialog').open")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver"]
#[expect(
    clippy::too_many_lines,
    reason = "one walk through the actions, each from where the last one left the hall"
)]
async fn every_action_works_and_shows_what_came_of_it() {
    const TAG: &str = "cdu1.secondary_supply_temperature_setpoint";
    let dir = tempdir().unwrap();
    let rig = hall(dir.path()).await;
    let browser = Browser::start(1400, 900, "en").await;
    browser.open(&base(&rig)).await;

    // By the keyboard alone: the first stop skips to the content, and every page is a link.
    browser
        .until("the hall", "return document.querySelector('.page.hall .cell') !== null")
        .await;

    // An override, with its end, on two pages; a wrong token is said.
    browser.click("#nav a", "CDUs").await;
    browser.click("#main a", "cdu1").await;
    browser.click("button", &format!("Override … {TAG}")).await;
    browser.fill("#dialog input[name=value]", "29.5").await;
    longest(&browser).await;
    browser.fill("#dialog input[name=token]", "not the token at all").await;
    browser.click("#dialog button[type=submit]", "Apply").await;
    browser
        .until(
            "a wrong token is said",
            "return document.querySelector('#dialog .failure')?.textContent.includes('token') ?? false",
        )
        .await;
    browser.fill("#dialog input[name=token]", TOKEN).await;
    browser.click("#dialog button[type=submit]", "Apply").await;
    browser
        .until(
            "the override shows its end",
            "return /until \\d\\d:\\d\\d/.test(document.querySelector('.setpoint.held')?.textContent ?? '')",
        )
        .await;
    browser
        .until(
            "and its flag",
            "return document.querySelector('.cdu-head.held .flag')?.textContent.includes('OVERRIDE') ?? false",
        )
        .await;
    browser.click("#nav a", "Control").await;
    browser
        .until(
            "it is listed",
            &format!("return document.querySelector('.overrides.held')?.innerText.includes({TAG:?}) ?? false"),
        )
        .await;
    browser.click("#nav a", "Hall").await;
    browser
        .until(
            "the hall says so",
            &format!("return document.querySelector('.attention')?.innerText.includes({TAG:?}) ?? false"),
        )
        .await;
    browser.click("#nav a", "Control").await;
    browser.click(".overrides button", "End override").await;
    apply(&browser, "Apply").await;
    browser
        .until(
            "nobody holds it",
            "return document.querySelector('.overrides.held') === null",
        )
        .await;

    // Advise: the plan waits for a word, is accepted for a time, and declined.
    browser.click("button", "Set authority … hall").await;
    browser.click("#dialog label", "shows what it would do").await;
    apply(&browser, "Apply").await;
    browser
        .until(
            "the plan is put to a person",
            "return document.querySelector('.proposal')?.checkVisibility() ?? false",
        )
        .await;
    browser.click(".proposal button", "Accept").await;
    apply(&browser, "Accept").await;
    browser
        .until(
            "it is written",
            "return document.querySelector('.proposal')?.innerText.includes('being written') ?? false",
        )
        .await;
    browser.click(".proposal button", "Decline").await;
    apply(&browser, "Decline").await;
    browser
        .until(
            "no more",
            "return !document.querySelector('.proposal').innerText.includes('being written')",
        )
        .await;

    // The strategy.
    browser.click("button", "Change …").await;
    browser.click("#dialog label", "Trim and respond").await;
    apply(&browser, "Apply").await;
    browser
        .until(
            "another strategy",
            "return document.querySelector('.strategy-now .big')?.textContent === 'Trim and respond'",
        )
        .await;

    // The record: a series more, compared, exported; the address tells it all.
    browser.click("#nav a", "Record").await;
    browser.fill("input[name=tag]", "cdu1.secondary_flow").await;
    browser.click("button", "Add").await;
    browser
        .until(
            "two units, two charts",
            "return document.querySelectorAll('.record-charts .chart').length === 2",
        )
        .await;
    browser.click("select[name=compare] option", "a day before").await;
    browser
        .until(
            "both periods",
            "return document.querySelectorAll('.record tbody tr').length === 6",
        )
        .await;
    browser
        .until(
            "in the address",
            "return location.hash.includes('compare=day') && location.hash.includes('secondary_flow')",
        )
        .await;
    browser.click("button", "Export CSV").await;
    browser
        .until(
            "a file",
            "return document.querySelector('.record [role=status]')?.textContent.includes('exported') ?? false",
        )
        .await;

    // Language and units.
    browser.click("button", "Settings").await;
    browser.click("#dialog select[name=temperature] option", "°F").await;
    browser.click("#dialog select[name=flow] option", "gpm").await;
    browser.click("#dialog select[name=heat] option", "tons").await;
    browser.click("#dialog select[name=language] option", "正體中文").await;
    browser.click("#dialog button[type=submit]", "Apply").await;
    browser.until("the other language", "return document.documentElement.lang === 'zh-Hant' && document.querySelector('#nav').innerText.includes('機房')").await;
    browser.click("#nav a", "CDU").await;
    browser
        .until(
            "the other units",
            &format!("return {SHOWN}.includes('°F') && {SHOWN}.includes('gpm') && {SHOWN}.includes('冷凍噸')"),
        )
        .await;

    // Stop now, from the top of any page.
    browser.click("button.stop", "立即停止").await;
    apply(&browser, "停止並釋放").await;
    browser.click("#nav a", "控制").await;
    browser
        .until(
            "observing",
            "return document.querySelector('.zone-card .authority')?.textContent.includes('觀察') ?? false",
        )
        .await;

    // All of it is in the audit, with its author and what became of it.
    browser.click("#nav a", "稽核").await;
    for word in [
        "at 29.5 for",
        "set the authority of",
        "accept the plan of",
        "decline the plan of",
        "set the strategy",
        "已執行",
    ] {
        browser.until(word, &format!("return {SHOWN}.includes({word:?})")).await;
    }
    assert_eq!(
        browser
            .complaints()
            .await
            .iter()
            .filter(|line| !line.contains("status of 40"))
            .count(),
        0
    );
    browser.quit().await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver"]
async fn a_lost_link_its_alarms_and_a_dead_controller_are_seen() {
    let dir = tempdir().unwrap();
    let mut rig = hall(dir.path()).await;
    let browser = Browser::start(1400, 900, "en").await;
    browser.open(&base(&rig)).await;
    browser
        .until("the hall", "return document.querySelector('.page.hall .cell') !== null")
        .await;

    rig.hall.servers.get_mut("cdu2").unwrap().stop().await;
    let seen = browser
        .until(
            "the lost link",
            "return document.querySelector('.mimic .lost')?.textContent.includes('LINK LOST') ?? false",
        )
        .await;
    println!("a lost link is seen after {:.1} s", seen.as_secs_f64());
    browser
        .until(
            "its alarms are counted",
            "return Number(document.querySelector('#nav .count').textContent) > 1",
        )
        .await;

    browser.click("#nav a", "Alarms").await;
    browser
        .until(
            "which came first",
            "return document.querySelector('.first-up.leads')?.textContent.includes('Came first') ?? false",
        )
        .await;
    browser.click(".alarm-card button", "Acknowledge").await;
    apply(&browser, "Acknowledge").await;
    browser.click(".alarm-card button", "Shelve").await;
    apply(&browser, "Shelve").await;
    browser.click(".chooser button", "Shelved").await;
    browser.until("until when it is shelved", "return /shelved by operator until \\d\\d:\\d\\d/.test(document.querySelector('.alarm-card')?.innerText ?? '')").await;
    browser.click(".alarm-card button", "Unshelve").await;
    apply(&browser, "Unshelve").await;
    browser
        .until("off the shelf", "return document.querySelector('.alarm-card') === null")
        .await;
    browser.click(".chooser button", "All").await;
    browser
        .until(
            "who has seen it",
            "return document.querySelector('.alarm-list')?.innerText.includes('acknowledged by operator') ?? false",
        )
        .await;
    browser.click("button", "Acknowledge all").await;
    apply(&browser, "Acknowledge").await;
    browser
        .until(
            "next to nothing is left to see",
            "return Number(document.querySelector('#nav .count').textContent) <= 2",
        )
        .await;
    browser.click(".alarm-card a", "Evidence").await;
    browser
        .until(
            "the readings around it",
            "return location.hash.startsWith('#/record') && document.querySelector('.record-charts .chart') !== null",
        )
        .await;

    rig.service.stop().await.unwrap();
    browser.until("a dead controller is unmistakable", "return document.body.className === 'dead' && !document.getElementById('banner').hidden && document.getElementById('banner').textContent.includes('old')").await;
    browser.quit().await;
    rig.hall.stop().await;
}
