//! Classes of event types of every family.

use super::super::super::value::Value;
use super::*;

fn check(event_type: &str, categories: &str, types: &str) {
    let class = class_of(event_type).unwrap_or_else(|| panic!("{event_type} has no family"));
    let text = |value: &Value<'_>| value.first_text().expect("classes are texts").to_owned();
    let found: Vec<String> = class.categories.iter().map(text).collect();
    assert_eq!(found.join(" "), categories, "categories of {event_type}");
    let arena = Arena::new();
    let found: Vec<String> = match class.types_in(&arena) {
        Some(Value::Array(types)) => types.iter().map(text).collect(),
        _ => Vec::new(),
    };
    assert_eq!(found.join(" "), types, "types of {event_type}");
}

#[test]
fn families_are_in_the_order_of_their_first_letters() {
    assert!(FAMILIES.is_sorted_by_key(|family| family.prefix.as_bytes().first()));
    assert!(FAMILIES.iter().all(|family| !family.prefix.is_empty()));
    assert_eq!(class_of(""), None);
}

#[test]
fn factors_are_authentication() {
    check("user.mfa.factor.activate", "authentication", "info start");
    check("user.mfa.factor.deactivate", "authentication", "end info");
    check("user.mfa.factor.suspend", "authentication", "info");
    check("user.mfa.factor.update", "authentication", "info");
    check("user.mfa.attempt_bypass", "authentication", "info");
    check("user.mfa.okta_verify.deny_push", "authentication", "info");
    check("system.mfa.factor.activate", "authentication", "start");
    check("system.mfa.factor.deactivate", "authentication", "end");
    check("device.desktop_mfa.recovery_pin.generate", "authentication", "info");
    check("device.desktop_mfa.device_logout.started", "authentication", "end start");
}

#[test]
fn sessions_and_logins() {
    check("user.session.start", "authentication session", "info start");
    check("user.session.end", "authentication session", "end info");
    check("user.session.expire", "session", "end");
    check("user.session.clear", "session", "info");
    check("user.session.impersonation.initiate", "session", "start");
    check("user.session.impersonation.end", "session", "end");
    check("user.session.access_admin_app", "session", "info");
    check("user.authentication.sso", "authentication", "info");
    check("user.authentication.auth_via_mfa", "authentication", "info");
    check("user.authentication.universal_logout.scheduled", "authentication", "end");
    check("user.identity_verification.start", "authentication", "start");
    check("policy.evaluate_sign_on", "authentication", "info");
    check("app.inbound_del_auth.login_success", "authentication", "info start");
    check("system.import.session.expired", "session", "end");
    check("security.session.detect_client_roaming", "session", "info");
}

#[test]
fn people_groups_and_roles_are_iam() {
    check("user.lifecycle.create", "iam", "creation info user");
    check("user.lifecycle.activate", "iam", "change info user");
    check("user.lifecycle.reactivate", "iam", "user");
    check("user.lifecycle.delete.initiated", "iam", "deletion user");
    check("user.lifecycle.password_mass_expiry", "authentication", "info");
    check("user.account.lock", "iam", "user");
    check("user.account.unlock_by_admin", "iam", "user");
    check("user.account.update_profile", "iam", "change user");
    check("user.account.preference_update", "iam", "user");
    check("user.account.privilege.grant", "iam", "info user");
    check("user.account.privilege.revoke", "iam", "deletion user");
    check("user.account.reset_password", "authentication", "info");
    check("user.account.expire_password", "authentication", "end info");
    check("user.account.report_suspicious_activity_by_enduser", "iam", "info user");
    check("user.risk.change", "iam", "change user");
    check("user.risk.detect", "iam", "user");
    check("user.behavior.profile.reset", "iam", "admin change user");
    check("group.user_membership.add", "iam", "change creation group user");
    check("group.user_membership.remove", "iam", "change deletion group user");
    check("group.user_membership.rule.deactivated", "iam", "group user");
    check("group.user_membership.rule.add_exclusion", "iam", "creation group user");
    check("group.privilege.grant", "iam", "group info");
    check("group.privilege.revoke", "iam", "deletion group");
    check("group.profile.update", "iam", "admin change group");
    check("group.application_assignment.skip_assignment_reconcile", "iam", "group");
    check("iam.role.create", "iam", "creation info");
    check("iam.role.permission.conditions.add", "iam", "creation");
    check("iam.resourceset.bindings.delete", "configuration", "deletion info");
    check("directory.user_profile.update", "iam", "change info user");
    check("directory.app_user_profile.bootstrap", "iam", "creation user");
    check("directory.mapping.update", "configuration", "change");
    check("device.user.add", "iam", "creation user");
    check("pam.resource_group.update", "iam", "admin change group");
    check("workflows.user.role.group.add", "iam", "creation group info user");
    check("workflows.user.flow.execution.cancel", "iam", "deletion user");
    check("workflows.user.table.view", "iam", "info user");
}

#[test]
fn applications_and_their_users() {
    check("application.user_membership.add", "iam", "change creation info user");
    check("application.user_membership.change_username", "iam", "change info user");
    check("application.user_membership.update", "iam", "change user");
    check("application.user_membership.change_password", "authentication", "info");
    check("application.lifecycle.create", "configuration", "creation");
    check("application.lifecycle.activate", "configuration", "info");
    check("application.policy.sign_on.deny_access", "configuration", "access info");
    check("application.provision.user.deprovision", "iam", "creation deletion user");
    check("application.provision.user.push_password", "authentication", "info");
    check("application.provision.group_membership.remove", "iam", "creation deletion group");
    check(
        "application.provision.group_push.mapping.update.or.delete.failed",
        "configuration",
        "change creation deletion",
    );
    check("application.provision.group_push.push_memberships", "iam", "creation group");
    check("application.provision.field_mapping_rule.change", "configuration", "change creation");
    check("app.oauth2.client.lifecycle.deactivate", "authentication", "end start");
    check("app.oauth2.as.token.grant.access_token", "authentication", "info");
    check("app.office365.api.error.create.user", "iam", "creation user");
    check("app.office365.api.error.group.membership.update.failure", "iam", "change group");
    check("app.office365.api.error.validate.creds", "iam", "info");
    check("app.office365.api.error.push.password", "authentication", "info");
    check("app.radius.agent.listener.failed", "network", "denied protocol");
    check("app.user_management.user_group_import.create_failure", "configuration", "creation");
    check("app.generic.unauth_app_access_attempt", "authentication", "info");
}

#[test]
fn settings_are_configuration() {
    check("policy.lifecycle.update", "configuration", "change");
    check("policy.lifecycle.activate", "configuration", "change info");
    check("policy.rule.add", "configuration", "change creation");
    check("policy.continuous_access.evaluate", "configuration", "access");
    check("zone.update", "configuration", "change");
    check("zone.deactivate", "configuration", "info");
    check("security.zone.remove_blacklist", "configuration", "deletion");
    check("event_hook.activated", "configuration", "change");
    check("event_hook.created", "configuration", "creation");
    check("oauth2.scope.updated", "configuration", "info");
    check("system.api_token.create", "authentication", "info");
    check("system.api_token.enable", "authentication", "start");
    check("system.idp.lifecycle.create", "configuration", "creation");
    check("system.idp.lifecycle.read_client_secret", "configuration", "info");
    check("system.log_stream.lifecycle.update", "configuration", "change info");
    check("system.agent.ad.update_user", "configuration", "change");
    check("system.agent.ad.config_change_detected", "configuration", "info");
    check("system.import.user.delete", "iam", "deletion user");
    check("system.import.roadblock.updated", "configuration", "change");
    check("system.email.template.settings_changed", "configuration", "info");
    check("system.sms.send_factor_verify_message", "authentication", "info");
    check("system.org.rate_limit.warning", "configuration", "info network");
    check("mim.command.ios.cancelled", "configuration", "deletion");
    check("pki.cert.lifecycle.revoke", "configuration", "deletion");
    check("pam.project.add_group", "configuration", "creation");
    check("device.lifecycle.deactivate", "host", "end start");
    check("device.platform.add", "host", "info");
}

#[test]
fn threats() {
    check("security.threat.detected", "threat", "indicator");
    check("security.attack.start", "threat", "indicator");
    check("security.attack_protection.settings.update", "configuration", "change");
    check("security.request.blocked", "threat", "network");
    check("security.events.provider.receive_event", "threat", "");
    check("security.breached_credential.detected", "authentication", "info");
}

#[test]
fn families_of_tomorrow() {
    check("user.mfa.factor.brand_new", "authentication", "info");
    check("system.brand_new.delete", "configuration", "deletion");
    check("user.brand_new.thing", "iam", "user");
    assert_eq!(class_of("brand_new.thing"), None);
    assert_eq!(class_of(""), None);
}

#[test]
fn no_row_is_hidden_by_a_wider_one_above_it() {
    for (index, family) in FAMILIES.iter().enumerate() {
        let hidden_by =
            FAMILIES.iter().take(index).find(|above| family.prefix.starts_with(above.prefix));
        assert!(hidden_by.is_none(), "{} is hidden", family.prefix);
    }
}
