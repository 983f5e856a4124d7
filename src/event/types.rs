//! What type a field has, and so how its values compare.
//!
//! Elastic takes the type from the index mapping; a stream has none, so one table stands in for
//! it: the fields of ECS and of the Okta integration that are no keywords, and what configuration
//! and rule files declare over it. A field that nobody names is a keyword, whose numbers and
//! booleans still compare as what they are.
//!
//! Sources: ECS 9 (`generated/csv/fields.csv`) and the field definitions of Elastic's Okta
//! integration. Facts only: names and types.

use std::collections::BTreeMap;

/// How Elastic would index a field, and so how its values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Exact text (also Elastic's `wildcard` and `constant_keyword`). The default.
    Keyword,
    /// Analysed text: words.
    Text,
    /// Any numeric type.
    Number,
    /// `boolean`.
    Boolean,
    /// `ip`.
    Ip,
    /// `date`.
    Date,
    /// `flattened`: every leaf below compares as text.
    Flattened,
}

impl FieldType {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Keyword,
        Self::Text,
        Self::Number,
        Self::Boolean,
        Self::Ip,
        Self::Date,
        Self::Flattened,
    ];

    /// The name in configuration and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Ip => "ip",
            Self::Date => "date",
            Self::Flattened => "flattened",
        }
    }

    /// The type that Elasticsearch calls `name`, as `required_fields` and configuration write it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "keyword" | "constant_keyword" | "wildcard" => Self::Keyword,
            "text" | "match_only_text" => Self::Text,
            "number" | "long" | "integer" | "short" | "byte" | "double" | "float"
            | "half_float" | "scaled_float" | "unsigned_long" => Self::Number,
            "boolean" => Self::Boolean,
            "ip" => Self::Ip,
            "date" | "date_nanos" => Self::Date,
            "flattened" => Self::Flattened,
            _ => return None,
        })
    }
}

/// The types of all fields: the built-in table, and what is declared over it.
#[derive(Clone, Debug, Default)]
pub struct FieldTypes {
    declared: BTreeMap<Box<str>, FieldType>,
    has_builtin: HasBuiltin,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum HasBuiltin {
    #[default]
    No,
    Yes,
}

impl FieldTypes {
    /// The built-in table.
    #[must_use]
    pub fn builtin() -> Self {
        Self { declared: BTreeMap::new(), has_builtin: HasBuiltin::Yes }
    }

    /// Declares the type of `field`, over what the built-in table says.
    pub fn declare(&mut self, field: &str, field_type: FieldType) {
        self.declared.insert(field.into(), field_type);
    }

    /// The type of `field`: its own declaration, else that of a flattened root above it, else the
    /// built-in table.
    #[must_use]
    pub fn of(&self, field: &str) -> FieldType {
        if let Some(declared) = self.declared.get(field) {
            return *declared;
        }
        if parents(field).any(|root| self.declared.get(root) == Some(&FieldType::Flattened)) {
            return FieldType::Flattened;
        }
        match self.has_builtin {
            HasBuiltin::Yes => builtin(field),
            HasBuiltin::No => FieldType::Keyword,
        }
    }

    /// The names above `field` that are flattened: their leaves include the values of `field`.
    pub fn flattened_above<'f>(&self, field: &'f str) -> impl Iterator<Item = &'f str> {
        parents(field).filter(|above| self.of(above) == FieldType::Flattened)
    }

    /// The field whose values `field` analyses, where it is the `.text` companion that Elastic
    /// gives to many keywords (`process.name.text` reads `process.name`).
    #[must_use]
    pub fn analysed_parent<'f>(&self, field: &'f str) -> Option<&'f str> {
        let parent = field.strip_suffix(".text").filter(|parent| !parent.is_empty())?;
        (self.of(field) == FieldType::Text && !self.declared.contains_key(field)).then_some(parent)
    }
}

/// The names above `field`, nearest first: `a.b.c` → `a.b`, `a`.
fn parents(field: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(field.rsplit_once('.'), |(parent, _)| parent.rsplit_once('.'))
        .map(|(parent, _)| parent)
}

fn builtin(field: &str) -> FieldType {
    let is_below = |root: &&str| {
        field.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if let Some((_, exact)) = EXACT.iter().find(|(name, _)| *name == field) {
        return *exact;
    }
    if KEYWORD_ROOTS.iter().any(is_below) {
        return FieldType::Keyword;
    }
    if FLATTENED_ROOTS.iter().any(is_below) {
        return FieldType::Flattened;
    }
    let ending = ENDINGS
        .iter()
        .find(|(ending, _)| field.strip_suffix(ending).is_some_and(|before| before.ends_with('.')));
    ending.map_or(FieldType::Keyword, |(_, found)| *found)
}

/// Below these every field is a keyword, whatever it ends in.
const KEYWORD_ROOTS: &[&str] = &["labels", "container.labels", "winlog.event_data"];

/// Below these every leaf compares as text.
const FLATTENED_ROOTS: &[&str] = &[
    "okta.target",
    "okta.request.ip_chain",
    "okta.debug_context.debug_data.flattened",
    "okta.device.device_integrator",
    "aws.cloudtrail.flattened",
    "log.syslog.structured_data",
];

/// Fields by their whole name.
const EXACT: &[(&str, FieldType)] = &[
    ("@timestamp", FieldType::Date),
    ("event.created", FieldType::Date),
    ("event.ingested", FieldType::Date),
    ("event.start", FieldType::Date),
    ("event.end", FieldType::Date),
    ("okta.published", FieldType::Date),
    ("file.accessed", FieldType::Date),
    ("file.created", FieldType::Date),
    ("file.ctime", FieldType::Date),
    ("file.mtime", FieldType::Date),
    ("package.installed", FieldType::Date),
    ("process.start", FieldType::Date),
    ("process.end", FieldType::Date),
    ("process.parent.start", FieldType::Date),
    ("process.parent.end", FieldType::Date),
    ("message", FieldType::Text),
    ("error.message", FieldType::Text),
    ("powershell.file.script_block_text", FieldType::Text),
    ("okta.request.ip_chain.ip", FieldType::Ip),
    ("github.actor_ip", FieldType::Ip),
    ("network.forwarded_ip", FieldType::Ip),
    ("dns.resolved_ip", FieldType::Ip),
    ("okta.authentication_context.authentication_step", FieldType::Number),
    ("okta.security_context.is_proxy", FieldType::Boolean),
    ("okta.device.managed", FieldType::Boolean),
    ("okta.device.registered", FieldType::Boolean),
    ("okta.device.secure_hardware_present", FieldType::Boolean),
    ("event.duration", FieldType::Number),
    ("event.sequence", FieldType::Number),
    ("event.severity", FieldType::Number),
    ("event.risk_score", FieldType::Number),
    ("event.risk_score_norm", FieldType::Number),
    ("kibana.alert.risk_score", FieldType::Number),
    ("process.interactive", FieldType::Boolean),
    ("process.parent.interactive", FieldType::Boolean),
    ("tls.established", FieldType::Boolean),
    ("tls.resumed", FieldType::Boolean),
    ("faas.coldstart", FieldType::Boolean),
    ("volume.removable", FieldType::Boolean),
    ("volume.writable", FieldType::Boolean),
    ("file.size", FieldType::Number),
    ("package.size", FieldType::Number),
    ("volume.size", FieldType::Number),
    ("dns.answers.ttl", FieldType::Number),
    ("log.origin.file.line", FieldType::Number),
    ("vulnerability.score.base", FieldType::Number),
    ("vulnerability.score.environmental", FieldType::Number),
    ("vulnerability.score.temporal", FieldType::Number),
];

/// Fields by their last parts, wherever ECS nests them.
const ENDINGS: &[(&str, FieldType)] = &[
    ("text", FieldType::Text),
    ("ip", FieldType::Ip),
    ("as.number", FieldType::Number),
    ("bytes", FieldType::Number),
    ("packets", FieldType::Number),
    ("port", FieldType::Number),
    ("pid", FieldType::Number),
    ("vpid", FieldType::Number),
    ("thread.id", FieldType::Number),
    ("args_count", FieldType::Number),
    ("exit_code", FieldType::Number),
    ("status_code", FieldType::Number),
    ("uptime", FieldType::Number),
    ("char_device.major", FieldType::Number),
    ("char_device.minor", FieldType::Number),
    ("public_key_size", FieldType::Number),
    ("public_key_exponent", FieldType::Number),
    ("risk.calculated_score", FieldType::Number),
    ("risk.calculated_score_norm", FieldType::Number),
    ("risk.static_score", FieldType::Number),
    ("risk.static_score_norm", FieldType::Number),
    ("facility.code", FieldType::Number),
    ("severity.code", FieldType::Number),
    ("syslog.priority", FieldType::Number),
    ("cpu.usage", FieldType::Number),
    ("memory.usage", FieldType::Number),
    ("code_signature.exists", FieldType::Boolean),
    ("code_signature.trusted", FieldType::Boolean),
    ("code_signature.valid", FieldType::Boolean),
    ("go_stripped", FieldType::Boolean),
    ("attributes.managed", FieldType::Boolean),
    ("attributes.mfa_enabled", FieldType::Boolean),
    ("code_signature.timestamp", FieldType::Date),
    ("elf.creation_date", FieldType::Date),
    ("not_after", FieldType::Date),
    ("not_before", FieldType::Date),
    ("delivery_timestamp", FieldType::Date),
    ("origination_timestamp", FieldType::Date),
    ("last_seen_timestamp", FieldType::Date),
    ("lifecycle.last_activity", FieldType::Date),
    ("indicator.first_seen", FieldType::Date),
    ("indicator.last_seen", FieldType::Date),
    ("indicator.modified_at", FieldType::Date),
    ("matched.occurred", FieldType::Date),
    ("session_leader.start", FieldType::Date),
    ("entry_leader.start", FieldType::Date),
    ("group_leader.start", FieldType::Date),
    ("entry_leader.parent.start", FieldType::Date),
    ("session_leader.parent.start", FieldType::Date),
];

#[cfg(test)]
mod tests {
    use super::{FieldType, FieldTypes};

    #[test]
    fn the_built_in_table_knows_ecs_and_okta() {
        let types = FieldTypes::builtin();
        let check = |field: &str, wanted: FieldType| assert_eq!(types.of(field), wanted, "{field}");
        check("event.action", FieldType::Keyword);
        check("source.ip", FieldType::Ip);
        check("okta.client.ip", FieldType::Ip);
        check("okta.request.ip_chain.ip", FieldType::Ip);
        check("related.ip", FieldType::Ip);
        check("okta.request.ip_chain.version", FieldType::Flattened);
        check("okta.target", FieldType::Flattened);
        check("okta.target.id", FieldType::Flattened);
        check("okta.targets", FieldType::Keyword);
        check("okta.debug_context.debug_data.flattened.a.b", FieldType::Flattened);
        check("okta.debug_context.debug_data.factor", FieldType::Keyword);
        check("@timestamp", FieldType::Date);
        check("event.ingested", FieldType::Date);
        check("okta.published", FieldType::Date);
        check("message", FieldType::Text);
        check("process.command_line.text", FieldType::Text);
        check("client.as.number", FieldType::Number);
        check("destination.port", FieldType::Number);
        check("okta.security_context.is_proxy", FieldType::Boolean);
        check("labels.port", FieldType::Keyword);
        check("zip", FieldType::Keyword);
        check("text", FieldType::Keyword);
    }

    #[test]
    fn a_declaration_stands_over_the_table() {
        let mut types = FieldTypes::builtin();
        types.declare("source.ip", FieldType::Keyword);
        types.declare("app.root", FieldType::Flattened);
        types.declare("app.root.port", FieldType::Number);
        assert_eq!(types.of("source.ip"), FieldType::Keyword);
        assert_eq!(types.of("app.root.x.y"), FieldType::Flattened);
        assert_eq!(types.of("app.root.port"), FieldType::Number);
        let above = |field: &'static str| types.flattened_above(field).collect::<Vec<_>>();
        assert_eq!(above("app.root.x.y"), ["app.root.x", "app.root"]);
        assert_eq!(above("okta.target"), [""; 0]);
        assert_eq!(types.analysed_parent("process.name.text"), Some("process.name"));
        assert_eq!(types.analysed_parent("message"), None);
    }

    #[test]
    fn names_read_back_as_their_types() {
        for field_type in FieldType::ALL {
            assert_eq!(FieldType::from_name(field_type.name()), Some(field_type));
        }
        assert_eq!(FieldType::from_name("geo_point"), None);
    }
}
