//! Reads tables into serde structs and goes on after a mistake.
//!
//! serde stops at the first error. [`Reader`] is a deserializer that instead notes the mistake and hands a stand-in
//! to the visitor, so that one pass finds every wrong type, missing key, unknown key and number out of range.
//! The stand-in of a number is NaN: no comparison with it is true, so later checks stay silent about it.

use super::findings::{Findings, unknown};
use super::ranges;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::Error};
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// A table that one or more structs are read from; keys that none of them knows are mistakes.
pub(super) struct Item<'a> {
    pub(super) path: String,
    table: Table,
    findings: &'a Findings<'a>,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Item<'a> {
    pub(super) fn new(path: impl Into<String>, table: Table, findings: &'a Findings<'a>) -> Self {
        Self {
            path: path.into(),
            table,
            findings,
            known: RefCell::default(),
        }
    }

    /// Reads a struct from its share of the keys. `None` only where a type has a rule of its own that the stand-in breaks.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        let reader = Reader {
            node: Node::Shared(&self.table, &self.known),
            path: &self.path,
            findings: self.findings,
        };
        T::deserialize(reader)
            .map_err(|error| self.findings.add(&self.path, error.to_string()))
            .ok()
    }

    /// Ends the reading: what is left over is unknown.
    pub(super) fn finish(self) {
        let known: Vec<_> = self.known.into_inner().into_iter().collect();
        for key in self.table.keys().filter(|key| !known.contains(&key.as_str())) {
            self.findings
                .add(format!("{}.{key}", self.path), unknown("key", key, &known));
        }
    }
}

#[derive(Clone, Copy)]
enum Node<'a> {
    /// A value of the configuration.
    Present(&'a Value),
    /// A table of an [`Item`], which several structs share.
    Shared(&'a Table, &'a RefCell<BTreeSet<&'static str>>),
    /// No such key: a mistake unless it is optional.
    Missing,
    /// Below a mistake: silence.
    StandIn,
}

struct Reader<'a> {
    node: Node<'a>,
    path: &'a str,
    findings: &'a Findings<'a>,
}

impl Reader<'_> {
    fn key(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    fn complain(&self, wanted: &str) {
        match self.node {
            Node::Present(value) => self
                .findings
                .add(self.path, format!("is {}; write {wanted}", describe(value))),
            Node::Missing => self.findings.add(self.path, format!("is missing; write {wanted}")),
            Node::Shared(..) | Node::StandIn => {}
        }
    }

    /// The number here, where it is one and in its key's range.
    fn number(&self, whole: bool, low: f64, high: f64) -> Option<f64> {
        let range = ranges::of(self.key());
        let (low, high) = range.map_or((low, high), |range| (low.max(range.low), high.min(range.high)));
        let number = match self.node {
            Node::Present(Value::Integer(number)) => Some(*number as f64),
            Node::Present(Value::Float(number)) if !whole => Some(*number),
            _ => None,
        };
        let good = number.filter(|number| *number >= low && *number <= high);
        if good.is_none() {
            let kind = if whole { "a whole number" } else { "a number" };
            let unit = range.map_or("", |range| range.unit);
            let space = if unit.is_empty() { "" } else { " " };
            if low > f64::MIN {
                self.complain(&format!("{kind} from {low} to {high}{space}{unit}"));
            } else {
                self.complain(kind);
            }
        }
        good
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// The largest whole number up to which f64 knows every one; no setting is that large.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty: $low:expr, $high:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.number(true, $low, $high).unwrap_or_default();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, and within the type's range"
            )]
            visitor.$visit(number as $type)
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("cannot be read without a type"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Node::Present(Value::Boolean(value)) = self.node {
            return visitor.visit_bool(*value);
        }
        self.complain("true or false");
        visitor.visit_bool(false)
    }

    whole_numbers! {
        deserialize_u8 visit_u8 u8: 0.0, 255.0;
        deserialize_u32 visit_u32 u32: 0.0, 4_294_967_295.0;
        deserialize_u64 visit_u64 u64: 0.0, LARGEST_EXACT;
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.number(false, f64::MIN, f64::MAX).unwrap_or(f64::NAN))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Node::Present(value) = self.node {
            if let Value::String(text) = value {
                return visitor.visit_str(text);
            }
            // A variable such as a password of digits, which was taken for a number.
            if let Some(text) = self.findings.layers.variable(self.path) {
                return visitor.visit_str(text);
            }
        }
        self.complain("a text in quotes");
        visitor.visit_str("")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node {
            Node::Present(_) | Node::Shared(..) => visitor.visit_some(self),
            Node::Missing | Node::StandIn => visitor.visit_none(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let items = if let Node::Present(Value::Array(items)) = self.node {
            items.as_slice()
        } else {
            self.complain("a list in [brackets]");
            &[]
        };
        visitor.visit_seq(Items {
            left: items.iter().enumerate(),
            path: self.path,
            findings: self.findings,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let table = match self.node {
            Node::Shared(table, known) => {
                known.borrow_mut().extend(fields);
                Some(table)
            }
            Node::Present(Value::Table(table)) => {
                for key in table.keys().filter(|key| !fields.contains(&key.as_str())) {
                    self.findings
                        .add(format!("{}.{key}", self.path), unknown("key", key, fields));
                }
                Some(table)
            }
            _ => {
                self.complain(&format!("a table with {}", fields.join(", ")));
                None
            }
        };
        visitor.visit_map(Fields {
            left: fields.iter(),
            current: None,
            table,
            path: self.path,
            findings: self.findings,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut named = None;
        if let Node::Present(Value::String(text)) = self.node {
            named = variants.iter().find(|variant| *variant == text);
            if named.is_none() {
                self.findings.add(self.path, unknown("value", text, variants));
            }
        } else {
            self.complain(&format!("one of {}", variants.join(", ")));
        }
        let variant = named.or(variants.first()).copied().unwrap_or_default();
        visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(variant))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct map identifier ignored_any
    }
}

/// The fields of a struct, one after the other, whether the table has them or not.
struct Fields<'a> {
    left: std::slice::Iter<'static, &'static str>,
    current: Option<&'static str>,
    table: Option<&'a Table>,
    path: &'a str,
    findings: &'a Findings<'a>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.left.next().copied();
        self.current
            .map(|field| seed.deserialize(IntoDeserializer::<Error>::into_deserializer(field)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let field = self.current.unwrap_or_default();
        let node = match self.table {
            Some(table) => table.get(field).map_or(Node::Missing, Node::Present),
            None => Node::StandIn,
        };
        seed.deserialize(Reader {
            node,
            path: &format!("{}.{field}", self.path),
            findings: self.findings,
        })
    }
}

struct Items<'a> {
    left: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
    path: &'a str,
    findings: &'a Findings<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, item)) = self.left.next() else {
            return Ok(None);
        };
        let path = format!("{}.[{}]", self.path, index + 1);
        seed.deserialize(Reader {
            node: Node::Present(item),
            path: &path,
            findings: self.findings,
        })
        .map(Some)
    }
}
