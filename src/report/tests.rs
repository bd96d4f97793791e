//! Reports of hand-made pages of the demo hall.

use super::*;
use crate::ledger::{DayShares, Page};
use crate::site::load_embedded;
use std::convert::Infallible;

fn page(day: i64, quarter: i64, it_kwh: f64) -> Page {
    Page {
        from_ms: day * 86_400_000 + quarter * 900_000,
        begun_ms: 1,
        day,
        totals: Totals {
            covered_s: 900.0,
            it_kwh,
            site_kwh: 1.2 * it_kwh,
            cooling_kwh: 0.1 * it_kwh,
            equipment_kwh: 0.1 * it_kwh,
            cooling_kwh_by_equipment: vec![0.01 * it_kwh; 10],
            reused_kwh: 10.0,
            reused_known_kwh: 10.0,
            reused_kwh_c: 450.0,
            makeup_l: 100.0,
            blowdown_l: 20.0,
            ..Totals::default()
        },
        shares: DayShares::default(),
    }
}

fn gathered(pages: Vec<Page>, open: Option<Page>, period: Option<&Period>) -> Gathered {
    let Ok(gathered) = gather(pages.into_iter().map(Ok::<_, Infallible>), open, period);
    gathered
}

fn close(found: f64, expect: f64) {
    assert!((found - expect).abs() < 1e-9, "{found}, expected {expect}");
}

#[test]
fn a_page_written_twice_counts_once_and_the_open_page_only_where_it_was_not_closed() {
    let pages = vec![page(0, 0, 1.0), page(0, 1, 2.0), page(0, 1, 3.0), page(1, 0, 4.0)];
    close(gathered(pages.clone(), None, None).days[&0].it_kwh, 4.0);
    close(
        gathered(pages.clone(), Some(page(1, 0, 3.5)), None).days[&1].it_kwh,
        4.0,
    );
    close(
        gathered(pages.clone(), Some(page(1, 1, 3.5)), None).days[&1].it_kwh,
        7.5,
    );
    let first = Period::parse("1970-01-01").unwrap();
    let found = gathered(pages, None, Some(&first));
    assert_eq!(found.days.len(), 1);
}

#[test]
fn every_form_states_the_same_and_foreign_text_is_harmless() {
    let site = load_embedded("demo").unwrap().unwrap();
    let mut last = page(20_454, 95, 100.0);
    last.shares.jobs = vec![JobShare {
        id: "<script>1</script>".into(),
        user: "=cmd".into(),
        tenant: "lab & co".into(),
        gpu_h: 3.0,
        used: Amounts {
            it_kwh: 60.0,
            ..Amounts::default()
        },
    }];
    last.shares.idle.it_kwh = 40.0;
    last.shares.racks = vec![Amounts::default(); 16];
    last.shares.racks[0].it_kwh = 100.0;
    let period = Period::parse("2026-01").unwrap();
    let gathered = gathered(vec![last], None, Some(&period));
    let report = make(&site, period, &gathered);
    assert!(report.period.interim);
    close(report.coverage, 900.0 / (31.0 * 86_400.0));
    close(report.indicators[0].value.unwrap(), 1.2);
    close(report.reused_c.unwrap(), 45.0);
    close(report.zones["hall"].it_kwh, 100.0);
    assert!(
        report
            .closings
            .iter()
            .filter(|row| row.name.starts_with("IT energy"))
            .all(|row| row.closes)
    );
    assert!(report.closings.iter().any(|row| row.name == "money of racks"));
    let pue = |key: &str| {
        report
            .disclosure
            .iter()
            .find(|field| field.symbol == key)
            .unwrap()
            .value
            .clone()
    };
    assert_eq!((pue("PUE"), pue("T_WH")), ("1.2000".into(), "45.00".into()));
    let verdicts: Vec<&str> = report.verdicts.iter().map(|row| row.verdict.as_str()).collect();
    assert_eq!(verdicts[0], "not yet in force; kept in this period");
    let page = html(&report);
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;") && page.contains("lab &amp; co"));
    assert!(page.contains("1.2000") && page.contains("<svg"));
    let table = csv(&report, gathered.jobs.values());
    assert!(table.contains("indicator,pue,value,1.2,") && table.contains("'=cmd of lab & co"));
    assert!(text(&report).contains("pue"));
}

#[test]
fn a_long_period_is_shown_by_months() {
    let site = load_embedded("demo").unwrap().unwrap();
    let pages = (0..90).map(|day| page(20_454 + day, 0, 1.0)).collect();
    let gathered = gathered(pages, None, None);
    let (from, to) = span(&gathered).unwrap();
    let report = make(&site, Period::between("all", from, to), &gathered);
    let names: Vec<&str> = report.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["2026-01", "2026-02", "2026-03"]);
    close(report.totals.makeup_l, 9000.0);
    close(report.totals.evaporation_l, 7200.0);
}
