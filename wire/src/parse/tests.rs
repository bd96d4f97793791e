use crate::Profile;
use crate::profile::{Place, Raw};
use proptest::prelude::*;

const GOOD: &str = r#"
[profile]
description = "test"
source = "none"
[modbus]
base = 1
max_block = 100
[[point]]
name = "supply"
unit = "degF"
table = "input"
address = 10
type = "i16"
scale = 0.1
min = 0.0
max = 200.0
"#;

const MQTT: &str = r#"
[profile]
description = "test"
source = "none"
[mqtt]
topic = "hall/{device}"
[[point]]
name = "power"
unit = "kW"
pointer = "/power"
min = 0
max = 200
"#;

/// A further point, which the given lines complete.
fn and(profile: &str, lines: &str) -> String {
    format!("{profile}[[point]]\nname = \"further\"\nunit = \"kW\"\nmin = 0\nmax = 1\n{lines}\n")
}

fn mistakes(text: &str) -> Vec<String> {
    let errors = Profile::parse(text, "p.toml").unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

/// The only mistake of a text.
#[track_caller]
fn mistake(text: &str) -> String {
    let mistakes = mistakes(text);
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    mistakes[0].clone()
}

#[test]
fn base_scale_and_unit_are_folded_in() {
    let profile = Profile::parse(GOOD, "config/profiles/test.toml").unwrap();
    let point = &profile.points[0];
    assert_eq!(profile.name, "test");
    let Place::Register(register) = &point.place else {
        panic!("a register")
    };
    assert_eq!(register.address, 9);
    // 212.0 degF as 2120 tenths is 100 degC.
    assert!((2120.0 * point.scale + point.offset - 100.0).abs() < 1e-9);
    assert!((point.max - 93.333_333).abs() < 1e-5);
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let text = GOOD
        .replace("base = 1", "base = 2")
        .replace("max_block = 100", "max_block = \"big\"\nmax_blok = 3")
        .replace("unit = \"degF\"", "unit = \"furlong\"")
        .replace("scale = 0.1", "scale = 0")
        + r#"
[[point]]
name = "supply"
unit = "kW"
table = "input"
address = 70000
type = "u16"
min = 1.0
max = 0.0
access = "read_write"
[[point]]
unit = "kW"
table = "holdng"
"#;
    let found = mistakes(&text);
    let expected = [
        "p.toml:6: modbus.base: write 0",
        "p.toml:7: modbus.max_block: `\"big\"` does not fit: write 1 to 125 registers",
        "p.toml:8: modbus.max_blok: has no meaning here: write one of base, max_block",
        "p.toml:11: point.supply.unit: `furlong` is unknown: write one of degC",
        "p.toml:15: point.supply.scale: write a finite number other than 0",
        "p.toml:23: point.supply.address: write 2 to 65537",
        "p.toml:25: point.supply.min: write a plausible range",
        "p.toml:27: point.supply.access: only coils",
        "p.toml:28: point.3.name: write a snake_case name",
        "p.toml:28: point.3.min: write the smallest plausible value",
        "p.toml:28: point.3.max: write the largest plausible value",
        "p.toml:28: point.3.address: write the register's address",
        "p.toml:30: point.3.table: `\"holdng\"` does not fit: write coil, discrete, input or holding",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
}

#[test]
fn missing_sections_are_mistakes() {
    let found = mistakes("");
    assert_eq!(found.len(), 3);
    assert!(found[0].contains("[profile]") && found[1].contains("[modbus], [mqtt] and [dsx]"));
    assert!(found[2].contains("[[point]]"), "{found:?}");
    assert!(mistake(&GOOD.replace("[modbus]\nbase = 1\nmax_block = 100\n", "")).contains("[modbus], [mqtt] and [dsx]"));
}

#[test]
fn one_mistake_makes_no_other() {
    let good = GOOD.replace("scale = 0.1", "scale = 0.1\nwords = \"low_first\"\nsentinels = [1]");
    assert!(Profile::parse(&good, "p.toml").is_ok());
    for good in [&good, MQTT] {
        let point = good.find("[[point]]").unwrap();
        for line in good.lines().filter(|line| line.contains(" = ")) {
            let wrong = line.split_once(" = ").map(|(key, _)| format!("{key} = {{}}")).unwrap();
            mistake(&good.replace(line, &wrong));
            let misspelt = mistakes(&good.replace(line, &format!("x{line}")));
            let meaningless = misspelt.iter().filter(|found| found.contains("has no meaning"));
            assert_eq!(meaningless.count(), 1, "{misspelt:#?}");
            assert!(misspelt.len() <= 2, "{misspelt:#?}");
        }
        assert_eq!(mistakes(&good[..point]).len(), 1);
    }
}

#[test]
fn mistakes_of_syntax_have_their_lines() {
    let found = mistakes(&GOOD.replace("base = 1", "base = ").replace("\"degF\"", "\"degF"));
    assert!(
        found.iter().any(|found| found.starts_with("p.toml:6: syntax")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|found| found.starts_with("p.toml:10: syntax")),
        "{found:?}"
    );
}

#[test]
fn keys_of_the_other_mapping_have_no_meaning() {
    assert!(mistake(&and(GOOD, "table = \"coil\"\naddress = 3\npointer = \"/x\"")).contains("pointer: has no meaning"));
    assert!(mistake(&and(MQTT, "pointer = \"/x\"\nsentinels = [1]")).contains("sentinels: has no meaning"));
    assert!(mistake(&and(GOOD, "table = \"coil\"\naddress = 3\ntype = \"u16\"")).contains("type: has no meaning"));
}

#[test]
fn a_value_must_fit_into_one_read() {
    let text = GOOD
        .replace("max_block = 100", "max_block = 1")
        .replace("\"i16\"", "\"f32\"");
    assert!(mistake(&text).contains("takes 2 registers"));
}

#[test]
fn the_last_address_of_a_table_is_reached_and_not_passed() {
    let at = |address: &str, kind: &str| {
        GOOD.replace("address = 10", address)
            .replace("\"i16\"", &format!("\"{kind}\""))
    };
    assert!(Profile::parse(&at("address = 65536", "u16"), "p.toml").is_ok());
    assert!(mistake(&at("address = 65536", "u32")).contains("write 1 to 65535"));
    assert!(mistake(&at("address = 0", "u16")).contains("write 1 to 65536"));
}

#[test]
fn a_range_beyond_the_unit_is_a_mistake() {
    assert!(mistake(&GOOD.replace("min = 0.0", "min = -500.0")).contains("write -459.67 or more"));
    let percent = GOOD.replace("degF", "percent");
    assert!(mistake(&percent).contains("point.supply.max: no quantity of this unit goes so far: write 100 or less"));
    assert!(mistake(&GOOD.replace("max = 200.0", "max = nan")).contains("plausible range"));
}

#[test]
fn sentinels_must_fit_into_the_registers() {
    let text = GOOD.replace("scale = 0.1", "sentinels = [0x8000, 0x1_0000]");
    assert!(mistake(&text).contains("numbers of 16 bits"));
    let wide = text.replace("\"i16\"", "\"u64\"");
    assert!(Profile::parse(&wide, "p.toml").is_ok());
}

#[test]
fn a_point_may_not_begin_inside_another_value() {
    let wide = GOOD.replace("\"i16\"", "\"f32\"");
    let further = |lines: &str| and(&wide, &format!("table = \"input\"\n{lines}"));
    assert!(mistake(&further("address = 11\ntype = \"u16\"")).contains("supply has registers"));
    assert!(mistake(&further("address = 9\ntype = \"u32\"")).contains("supply has registers"));
    for good in [
        "address = 12\ntype = \"u16\"",
        "address = 10\ntype = \"u32\"",
        "address = 10\nbit = 3",
    ] {
        assert!(Profile::parse(&further(good), "p.toml").is_ok(), "{good}");
    }
    let twice = |kind: &str| {
        let lines = format!("table = \"holding\"\naddress = 10\ntype = \"{kind}\"\naccess = \"read_write\"");
        and(&and(GOOD, &lines).replace("further", "first"), &lines)
    };
    assert!(mistake(&twice("u16")).contains("first has registers"));
}

#[test]
fn fields_of_a_payload_are_apart() {
    assert!(mistake(&and(MQTT, "pointer = \"/power\"")).contains("power has this field"));
    assert!(mistake(&and(MQTT, "pointer = \"/power/kw\"")).contains("power has this field"));
    assert!(Profile::parse(&and(MQTT, "pointer = \"/power_kw\""), "p.toml").is_ok());
}

#[test]
fn topics_and_pointers_are_checked() {
    assert!(mistake(&MQTT.replace("hall/{device}", "hall/#")).contains("mqtt.topic"));
    assert!(mistake(&MQTT.replace("\"/power\"", "\"power\"")).contains("JSON pointer"));
    assert!(mistake(&MQTT.replace("\"/power\"", "\"/a~2\"")).contains("JSON pointer"));
    assert!(Profile::parse(&MQTT.replace("\"/power\"", "\"/a~1b~0\""), "p.toml").is_ok());
    assert!(mistake(&MQTT.replace("pointer = \"/power\"\n", "")).contains("point.power.pointer"));
}

#[test]
fn bits_of_a_register() {
    let profile = Profile::parse(&GOOD.replace("type = \"i16\"", "bit = 15"), "p.toml").unwrap();
    let Place::Register(register) = &profile.points[0].place else {
        panic!("a register")
    };
    assert_eq!(register.raw, Raw::BitOf(15));
    assert!(mistake(&GOOD.replace("type = \"i16\"", "bit = 16")).contains("point.supply.type"));
}

proptest! {
    #[test]
    fn a_damaged_file_parses_or_says_why(
        cut in any::<proptest::sample::Index>(), length in 0..40usize, put in "[\\[\\]{}=\"\n a-z0-9.#-]{0,6}",
    ) {
        for good in [GOOD, MQTT] {
            let from = cut.index(good.len());
            let text = format!("{}{put}{}", &good[..from], &good[(from + length).min(good.len())..]);
            if let Err(mistakes) = Profile::parse(&text, "p.toml") {
                prop_assert!(!mistakes.is_empty());
            }
        }
    }
}
