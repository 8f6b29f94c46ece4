//! Determines the severity of a change from the change itself, how the stream is synced, and what
//! the destination does about it.

use airbyte_protocol::DestinationSyncMode;

use super::change::{ChangeKind, RefreshMode, Remedy, Role, Severity};
use super::fields::Restated;
use crate::destinations::{DestinationKind, Follows, Values, Verdict};
use crate::model::StreamConfig;
use crate::renames::Evidence;
use crate::types::Relation;

/// The assessment of a change.
pub(super) struct Judgement {
    pub(super) severity: Severity,
    pub(super) remedy: Remedy,
    pub(super) refresh: Option<RefreshMode>,
    pub(super) reason: String,
}

impl Judgement {
    pub(super) fn nothing(reason: impl Into<String>) -> Self {
        Self::new(Severity::Info, Remedy::Nothing, reason)
    }

    pub(super) fn new(severity: Severity, remedy: Remedy, reason: impl Into<String>) -> Self {
        Self {
            severity,
            remedy,
            refresh: None,
            reason: reason.into(),
        }
    }

    pub(super) fn choice(severity: Severity, reason: impl Into<String>) -> Self {
        Self::new(severity, Remedy::Choice, reason)
    }

    /// Adds a refresh, if there is one; an update that needs a refresh requires it as its remedy.
    pub(super) fn refreshed(self, refresh: Option<RefreshMode>) -> Self {
        let remedy = match (self.remedy, refresh) {
            (Remedy::SchemaUpdate, Some(_)) => Remedy::Refresh,
            (remedy, _) => remedy,
        };
        Self {
            remedy,
            refresh,
            ..self
        }
    }
}

/// How a stream is synced.
pub(super) struct Copying<'a> {
    pub(super) config: &'a StreamConfig,
    pub(super) cursor: Vec<String>,
    pub(super) destination: DestinationKind,
    /// Whether the server supports field-renaming mappers.
    pub(super) mappers: bool,
}

impl Copying<'_> {
    /// How the connection uses the field at `path`.
    pub(super) fn roles(&self, path: &[String]) -> Vec<Role> {
        let touches = |other: &[String]| {
            !other.is_empty() && (other.starts_with(path) || path.starts_with(other))
        };
        if self.not_copied(path).is_some() {
            return Vec::new();
        }
        let mut roles = vec![Role::Selected];
        if self.config.needs_key() && self.config.primary_key.iter().any(|part| touches(part)) {
            roles.push(Role::PrimaryKey);
        }
        if self.config.is_incremental() && touches(&self.cursor) {
            roles.push(Role::Cursor);
        }
        roles
    }

    /// Why a change of the column does not matter, if it is not synced.
    fn not_copied(&self, path: &[String]) -> Option<&'static str> {
        if !self.config.selected {
            return Some("the stream is not synced");
        }
        let copied = path.first().is_none_or(|column| self.config.copies(column));
        (!copied).then_some("the column is not among the stream's selected columns")
    }

    /// Airbyte can refresh incremental streams; it offers truncation only with deduplication.
    pub(super) fn refresh(&self, wanted: RefreshMode) -> Option<RefreshMode> {
        if !self.config.selected || !self.config.is_incremental() {
            return None;
        }
        Some(if self.config.is_deduped() {
            wanted
        } else {
            RefreshMode::Merge
        })
    }

    /// Whether every sync rewrites the whole table.
    fn is_rebuilt(&self) -> bool {
        !self.config.is_incremental()
            && matches!(
                self.config.destination_sync_mode,
                DestinationSyncMode::Overwrite | DestinationSyncMode::OverwriteDedup
            )
    }

    pub(super) fn added(&self, path: &[String]) -> Judgement {
        if let Some(reason) = self.not_copied(path) {
            return Judgement::nothing(reason);
        }
        // A nested field is part of its column's value.
        let verdict = self.destination.add_column();
        if path.len() == 1 && verdict.follows == Follows::Refuses {
            return Judgement::choice(
                Severity::Breaking,
                format!("the destination cannot add a column: {}", verdict.reason),
            );
        }
        let refresh = self.refresh(RefreshMode::Merge);
        let tail = if refresh.is_some() {
            "; a refresh fills older rows"
        } else {
            ""
        };
        let reason = format!("it is copied from the next sync on{tail}");
        Judgement::new(Severity::Safe, Remedy::SchemaUpdate, reason).refreshed(refresh)
    }

    pub(super) fn removed(&self, path: &[String]) -> Judgement {
        if let Some(reason) = self.not_copied(path) {
            return Judgement::nothing(reason);
        }
        if let Some(role) = role_word(&self.roles(path)) {
            let reason = format!(
                "it is the stream's {role}; accepting uses the {role} that the source offers now, \
                 or switches to a full refresh"
            );
            return Judgement::choice(Severity::Breaking, reason)
                .refreshed(self.refresh(RefreshMode::Truncate));
        }
        let reason = "the source no longer has it; accepting stops syncing it";
        if self.is_rebuilt() {
            let fate =
                "the next sync removes it from the destination, because it rewrites the table";
            return Judgement::choice(Severity::Warning, format!("{reason}; {fate}"));
        }
        // A nested field is only missing in values written from now on.
        if path.len() > 1 {
            return Judgement::choice(Severity::Warning, reason);
        }
        let verdict = self.destination.remove_column();
        // If it is uncertain whether the values are kept, they count as lost.
        let severity = match verdict.values {
            Values::Kept => Severity::Warning,
            Values::AtRisk | Values::Lost => Severity::DataLoss,
        };
        let reason = format!("{reason}; {}: {}", self.destination, verdict.reason);
        Judgement::choice(severity, reason)
    }

    /// A different column with the same name.
    pub(super) fn recreated(&self, path: &[String], was: Option<&str>) -> Judgement {
        if let Some(reason) = self.not_copied(path) {
            return Judgement::nothing(reason);
        }
        match was {
            None => Judgement::nothing(
                "the source dropped it and recreated it with the same name; its older values are \
                 gone from the source",
            ),
            Some(name) => Judgement::choice(
                Severity::Warning,
                format!(
                    "the source's column {name} now has this name: older rows hold other data in it"
                ),
            )
            .refreshed(self.refresh(RefreshMode::Merge)),
        }
    }

    pub(super) fn renamed(&self, from: &[String], to: &[String], evidence: &Evidence) -> Judgement {
        if let Some(reason) = self.not_copied(from) {
            return Judgement::nothing(reason);
        }
        let roles = self.roles(from);
        let severity = match role_word(&roles) {
            Some(_) => Severity::Breaking,
            None => Severity::Warning,
        };
        let downstream = self.mappers && from.len() == 1 && to.len() == 1;
        let carried = match role_word(&roles) {
            Some(role) => format!("its place as the stream's {role} is carried over"),
            None => "its selection is carried over".to_owned(),
        };
        let (name, refresh) = if downstream {
            let refresh = roles.contains(&Role::Cursor).then_some(RefreshMode::Merge);
            (
                "a mapper keeps its name in the destination".to_owned(),
                refresh,
            )
        } else {
            let wanted = if roles.contains(&Role::PrimaryKey) {
                RefreshMode::Truncate
            } else {
                RefreshMode::Merge
            };
            let verdict = self.destination.rename_column();
            (
                format!(
                    "the destination gets it under its new name ({})",
                    verdict.reason
                ),
                Some(wanted),
            )
        };
        let reason = format!("{evidence}; accepting treats it as a rename: {carried}, {name}");
        Judgement::choice(severity, reason)
            .refreshed(refresh.and_then(|wanted| self.refresh(wanted)))
    }

    pub(super) fn restated(&self, field: &Restated) -> Judgement {
        if let Some(reason) = self.not_copied(&field.path) {
            return Judgement::nothing(reason);
        }
        if field.values == Relation::Identical {
            return self.same_values(field);
        }
        let (was, is) = &field.types;
        if let Some(role) = role_word(&self.roles(&field.path)) {
            let reason = format!(
                "it is the stream's {role} and changed from {was} to {is}: saved values cannot be \
                 compared with new ones"
            );
            return Judgement::choice(Severity::Breaking, reason)
                .refreshed(self.refresh(RefreshMode::Truncate));
        }
        // A nested field changes its column's text, not the column.
        if field.path.len() > 1 {
            return self.inside(field);
        }
        self.retyped(
            field,
            self.destination.retype(was.value_type(), is.value_type()),
        )
    }

    fn same_values(&self, field: &Restated) -> Judgement {
        let key = self.roles(&field.path).contains(&Role::PrimaryKey);
        let becomes_nullable = field.relation == Relation::Widening;
        if field.kind == ChangeKind::FieldNullabilityChanged && becomes_nullable && key {
            return Judgement::choice(
                Severity::Warning,
                "it is part of the stream's key and can now be null: rows without it cannot be \
                 distinguished",
            );
        }
        if becomes_nullable && !self.destination.nullable_columns() {
            return Judgement::new(
                Severity::Safe,
                Remedy::SchemaUpdate,
                "the destination's column must accept nulls",
            );
        }
        Judgement::new(
            Severity::Info,
            Remedy::SchemaUpdate,
            "its values keep their type",
        )
    }

    fn inside(&self, field: &Restated) -> Judgement {
        let (was, is) = &field.types;
        if field.values == Relation::Widening || self.is_rebuilt() {
            return Judgement::new(
                Severity::Safe,
                Remedy::SchemaUpdate,
                format!("{}; the column around it is unchanged", describe_fit(field)),
            )
            .refreshed(self.refresh(RefreshMode::Merge));
        }
        Judgement::choice(
            Severity::Warning,
            format!("within its column {was} becomes {is}: older rows keep the old form"),
        )
        .refreshed(self.refresh(RefreshMode::Merge))
    }

    fn retyped(&self, field: &Restated, verdict: Verdict) -> Judgement {
        let destination = self.destination;
        if self.is_rebuilt() {
            let reason = format!("{}; the next sync rewrites the table", describe_fit(field));
            return match field.values {
                Relation::Widening | Relation::Identical => {
                    Judgement::new(Severity::Safe, Remedy::SchemaUpdate, reason)
                }
                Relation::Narrowing | Relation::Lossy | Relation::Incomparable => {
                    Judgement::choice(Severity::Warning, reason)
                }
            };
        }
        if verdict.follows == Follows::Refuses {
            let reason = format!(
                "{}; {destination} rejects the change: {}",
                describe_fit(field),
                verdict.reason
            );
            return Judgement::choice(Severity::Breaking, reason)
                .refreshed(self.refresh(RefreshMode::Truncate));
        }
        let refresh = self.refresh(RefreshMode::Merge);
        let how = match verdict.follows {
            Follows::InPlace => "follows in place",
            Follows::Refresh | Follows::Refuses => "requires a refresh",
        };
        let reason = format!(
            "{}; {destination} {how}: {}",
            describe_fit(field),
            verdict.reason
        );
        let fits = matches!(field.values, Relation::Identical | Relation::Widening);
        match (verdict.values, fits) {
            (Values::Kept, true) => {
                let refresh = refresh.filter(|_| verdict.follows == Follows::Refresh);
                Judgement::new(Severity::Safe, Remedy::SchemaUpdate, reason).refreshed(refresh)
            }
            (Values::Kept, false) => {
                Judgement::choice(Severity::Warning, reason).refreshed(refresh)
            }
            (Values::AtRisk | Values::Lost, true) => {
                Judgement::choice(Severity::DataLoss, reason).refreshed(refresh)
            }
            (Values::AtRisk | Values::Lost, false) => {
                let reason = format!("{reason}; values that do not fit become null");
                Judgement::choice(Severity::DataLoss, reason).refreshed(refresh)
            }
        }
    }
}

/// What happens to old values, as text.
fn describe_fit(field: &Restated) -> String {
    let (was, is) = &field.types;
    match field.values {
        Relation::Identical => "its values keep their type".to_owned(),
        Relation::Widening => format!("every {was} is a valid {is}"),
        Relation::Narrowing => format!("not every {was} is a valid {is}"),
        Relation::Lossy => format!("{was} becomes {is} and loses information"),
        Relation::Incomparable => format!("{was} cannot become {is}"),
    }
}

/// The word for the most important role beyond being synced.
pub(super) fn role_word(roles: &[Role]) -> Option<&'static str> {
    if roles.contains(&Role::PrimaryKey) {
        Some("key")
    } else if roles.contains(&Role::Cursor) {
        Some("cursor")
    } else {
        None
    }
}
