//! Keeping a connector to some files by Landlock. A kernel without it, or with an older version of
//! it, confines as far as it can: the connector still runs as the engine's user.

use super::Limits;

/// Lets this process, and what it becomes, use only the files that its limits name.
#[cfg(target_os = "linux")]
pub(super) fn confine(limits: &Limits) -> Result<(), landlock::RulesetError> {
    use landlock::{
        ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
        Scope, path_beneath_rules,
    };
    const KNOWN: ABI = ABI::V6;
    if !limits.confines() {
        return Ok(());
    }
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        // Nor may it send signals to the engine or to other connectors.
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(
            &limits.readable,
            AccessFs::from_read(KNOWN),
        ))?
        .add_rules(path_beneath_rules(
            &limits.writable,
            AccessFs::from_all(KNOWN),
        ))?
        .restrict_self()?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_limits: &Limits) -> std::io::Result<()> {
    Ok(())
}
