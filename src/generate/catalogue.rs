//! The event types that are made, and how often each occurs.
//!
//! Names, messages and legacy names are facts of Okta's public event-type catalogue
//! (developer.okta.com/docs/reference/api/event-types/); the weights are invented.

/// One event type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) event_type: &'static str,
    pub(super) message: &'static str,
    pub(super) legacy: &'static str,
    pub(super) severity: &'static str,
    pub(super) result: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) uri: &'static str,
    /// Whether the address is a proxy's, as JSON.
    pub(super) is_proxy: &'static str,
    pub(super) targets: &'static [Target],
    pub(super) weight: usize,
}

/// A kind of thing that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    User,
    App,
    AppUser,
    Group,
    Policy,
    Token,
    Factor,
    Agent,
}

use Target::{Agent, App, AppUser, Factor, Group, Policy, Token, User};

const fn kind(
    event_type: &'static str,
    message: &'static str,
    legacy: &'static str,
    targets: &'static [Target],
    weight: usize,
) -> Kind {
    Kind {
        event_type,
        message,
        legacy,
        severity: "INFO",
        result: "SUCCESS",
        reason: None,
        uri: "/api/v1/authn",
        is_proxy: "false",
        targets,
        weight,
    }
}

const fn failed(kind: Kind, reason: &'static str) -> Kind {
    Kind { severity: "WARN", result: "FAILURE", reason: Some(reason), ..kind }
}

const fn through_a_proxy(kind: Kind) -> Kind {
    Kind { is_proxy: "true", ..kind }
}

/// What the MFA-reset rule looks for.
pub(super) const HIT: Kind = Kind {
    uri: "/api/v1/users/00u1/lifecycle/reset_factors",
    ..kind(
        "user.mfa.factor.reset_all",
        "Reset all factors for user",
        "core.user.factor.reset_all",
        &[User],
        1,
    )
};

/// What no shipped rule looks for.
pub(super) const NOISE: &[Kind] = &[
    kind(
        "user.session.start",
        "User login to Okta",
        "core.user_auth.login_success",
        &[AppUser],
        12,
    ),
    failed(
        kind("user.session.start", "User login to Okta", "core.user_auth.login_failed", &[], 2),
        "INVALID_CREDENTIALS",
    ),
    kind("user.session.end", "User logout from Okta", "core.user_auth.logout_success", &[], 5),
    kind("user.session.context.change", "User session context changed", "", &[User], 1),
    kind(
        "user.authentication.sso",
        "User single sign on to app",
        "app.auth.sso",
        &[App, AppUser],
        20,
    ),
    kind(
        "user.authentication.auth_via_mfa",
        "Authentication of user via MFA",
        "core.user.factor.attempt_success",
        &[User, Factor],
        8,
    ),
    failed(
        kind(
            "user.authentication.auth_via_mfa",
            "Authentication of user via MFA",
            "core.user.factor.attempt_fail",
            &[User, Factor],
            1,
        ),
        "INVALID_CREDENTIALS",
    ),
    kind(
        "user.authentication.auth_via_AD_agent",
        "Authenticate user with AD agent",
        "core.user_auth.ad_agent",
        &[User, Agent],
        3,
    ),
    kind(
        "user.authentication.auth_via_IDP",
        "Authenticate user via IDP",
        "core.user_auth.idp",
        &[User],
        2,
    ),
    kind(
        "user.authentication.auth_via_radius",
        "Authentication of user via Radius",
        "core.user_auth.radius",
        &[User, App],
        1,
    ),
    kind("user.authentication.verify", "Verify user identity", "", &[User], 6),
    kind(
        "policy.evaluate_sign_on",
        "Evaluation of sign-on policy",
        "core.policy.evaluate",
        &[Policy, App],
        15,
    ),
    kind(
        "app.oauth2.authorize.code",
        "OIDC authorization code request",
        "app.oauth2.authorize.code_success",
        &[App],
        8,
    ),
    kind(
        "app.oauth2.token.grant.access_token",
        "OAuth2 access token is granted",
        "app.oauth2.token.grant.access_token_success",
        &[Token, App],
        8,
    ),
    kind(
        "app.oauth2.token.grant.id_token",
        "OIDC id token is granted",
        "app.oauth2.token.grant.id_token_success",
        &[Token, App],
        6,
    ),
    kind(
        "app.oauth2.token.grant.refresh_token",
        "OAuth2 refresh token is granted",
        "app.oauth2.token.grant.refresh_token_success",
        &[Token],
        3,
    ),
    kind(
        "app.oauth2.as.authorize.code",
        "OAuth2 authorization code request",
        "app.oauth2.as.authorize.code_success",
        &[App],
        3,
    ),
    kind(
        "app.oauth2.as.token.grant.access_token",
        "OAuth2 access token is granted by a custom server",
        "app.oauth2.as.token.grant.access_token_success",
        &[Token],
        3,
    ),
    kind(
        "app.oauth2.token.revoke",
        "OAuth2 token revocation request",
        "app.oauth2.token.revoke_success",
        &[Token],
        1,
    ),
    kind(
        "app.generic.unauth_app_access_attempt",
        "User attempted unauthorized access to app",
        "app.generic.unauth_app_access_attempt",
        &[App, User],
        1,
    ),
    kind(
        "app.user_management.push_new_user_success",
        "Pushed new user to application",
        "app.user_management.push_new_user_success",
        &[App, AppUser],
        1,
    ),
    kind(
        "app.user_management.push_profile_success",
        "Pushed profile to application",
        "app.user_management.push_profile_success",
        &[App, AppUser],
        2,
    ),
    kind(
        "application.user_membership.add",
        "Add user to application membership",
        "app.generic.assign_user",
        &[App, AppUser, User],
        3,
    ),
    kind(
        "application.user_membership.remove",
        "Remove user from application membership",
        "app.generic.unassign_user",
        &[App, AppUser, User],
        2,
    ),
    kind(
        "application.user_membership.update",
        "Update user of application membership",
        "app.generic.update_user",
        &[App, AppUser],
        1,
    ),
    kind(
        "application.provision.user.sync",
        "Sync user in external application",
        "app.user_management.sync",
        &[App, AppUser],
        2,
    ),
    kind(
        "group.user_membership.add",
        "Add user to group membership",
        "core.user_group_member.user_add",
        &[User, Group],
        4,
    ),
    kind(
        "group.user_membership.remove",
        "Remove user from group membership",
        "core.user_group_member.user_remove",
        &[User, Group],
        3,
    ),
    kind(
        "group.application_assignment.add",
        "Add assigned application to group",
        "core.user_group.app_add",
        &[Group, App],
        1,
    ),
    kind("group.profile.update", "Update group profile", "core.user_group.update", &[Group], 1),
    kind(
        "user.lifecycle.create",
        "Create Okta user",
        "core.user.config.user_creation.success",
        &[User],
        2,
    ),
    kind(
        "user.lifecycle.activate",
        "Activate Okta user",
        "core.user.config.user_activated",
        &[User],
        2,
    ),
    kind(
        "user.lifecycle.suspend",
        "Suspend Okta user",
        "core.user.config.user_status.suspended",
        &[User],
        1,
    ),
    kind(
        "user.lifecycle.delete.initiated",
        "Delete Okta user initiated",
        "core.user.config.user_delete.initiated",
        &[User],
        1,
    ),
    kind(
        "user.account.update_profile",
        "Update user profile for Okta",
        "core.user.config.profile_update.success",
        &[User],
        4,
    ),
    kind(
        "user.account.update_password",
        "User update password for Okta",
        "core.user.config.password_update.success",
        &[User],
        2,
    ),
    kind(
        "user.account.unlock_by_admin",
        "Unlock user account by admin",
        "core.user.config.unlock",
        &[User],
        1,
    ),
    kind("user.credential.enroll", "Enroll user credential", "", &[User], 1),
    kind(
        "user.mfa.factor.activate",
        "Activate factor or authenticator enrollment",
        "core.user.factor.activate",
        &[User, Factor],
        2,
    ),
    kind(
        "user.mfa.factor.update",
        "Update factor or authenticator enrollment",
        "core.user.factor.update",
        &[User, Factor],
        1,
    ),
    kind(
        "user.mfa.okta_verify",
        "Okta Verify enrollment",
        "core.user.factor.okta_verify",
        &[User],
        1,
    ),
    kind(
        "system.push.send_factor_verify_push",
        "Send Okta Verify push verify message",
        "core.user.factor.push",
        &[User],
        5,
    ),
    kind(
        "system.sms.send_factor_verify_message",
        "Send SMS factor verify message",
        "core.user.sms.message_sent.factor",
        &[User],
        2,
    ),
    kind(
        "system.email.send_factor_verify_message",
        "Send email factor verify message",
        "core.user.email.message_sent.factor",
        &[User],
        2,
    ),
    kind(
        "system.voice.send_mfa_challenge_call",
        "Send MFA challenge call",
        "core.user.call.mfa_challenge",
        &[User],
        1,
    ),
    kind(
        "system.agent.ad.realtimesync",
        "Perform real time sync by AD agent",
        "app.ad.agent.realtimesync",
        &[Agent, User],
        2,
    ),
    kind(
        "system.agent.ad.connect",
        "Connect AD agent to Okta",
        "app.ad.agent.connect",
        &[Agent],
        1,
    ),
    kind("system.import.start", "Start import", "app.user_management.user_import_start", &[App], 1),
    kind(
        "system.import.complete",
        "Completed import",
        "app.user_management.user_import_complete",
        &[App],
        1,
    ),
    kind(
        "directory.user_profile.update",
        "Update mastered user profile",
        "core.user.config.profile_master",
        &[User],
        1,
    ),
    kind("device.user.add", "Add device to user", "", &[User], 1),
    kind("event_hook.delivery", "Event hook delivery", "", &[], 1),
];

/// What other shipped rules look for: the neighbourhood of an account takeover.
pub(super) const NEIGHBOURS: &[Kind] = &[
    kind(
        "user.mfa.factor.deactivate",
        "Reset factor for user",
        "core.user.factor.reset",
        &[User, Factor],
        2,
    ),
    kind(
        "user.account.privilege.grant",
        "Grant user privilege",
        "core.user.admin_privilege.granted",
        &[User],
        1,
    ),
    kind(
        "user.mfa.attempt_bypass",
        "Attempt bypass of factor",
        "core.user.factor.attempt_bypass",
        &[User],
        1,
    ),
    kind("policy.lifecycle.update", "Update policy", "core.policy.lifecycle.update", &[Policy], 1),
    kind("zone.update", "Update network zone", "network_zone.config.update", &[], 1),
    kind("system.api_token.create", "Create API token", "api.token.create", &[User], 1),
    kind(
        "user.session.impersonation.initiate",
        "Initiate impersonation session",
        "core.user.impersonation.session.initiated",
        &[User],
        1,
    ),
    kind(
        "user.account.report_suspicious_activity_by_enduser",
        "User report suspicious activity",
        "core.user.account.report_suspicious_activity_by_enduser",
        &[User],
        1,
    ),
    kind("security.threat.detected", "Request from suspicious actor", "", &[], 1),
    through_a_proxy(kind(
        "user.session.start",
        "User login to Okta",
        "core.user_auth.login_success",
        &[AppUser],
        1,
    )),
];
