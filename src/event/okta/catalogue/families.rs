//! The rows of the catalogue.
//!
//! Event type names are facts of Okta's public catalogue
//! (developer.okta.com/docs/reference/api/event-types/), categories and types facts of ECS and of
//! Elastic's Okta integration.

use super::{Family, Rest, Types, Value, texts};

const AUTHENTICATION: &[Value<'static>] = &[Value::Text(texts::own("authentication"))];
const CONFIGURATION: &[Value<'static>] = &[Value::Text(texts::own("configuration"))];
const HOST: &[Value<'static>] = &[Value::Text(texts::own("host"))];
const IAM: &[Value<'static>] = &[Value::Text(texts::own("iam"))];
const NETWORK: &[Value<'static>] = &[Value::Text(texts::own("network"))];
const SESSION: &[Value<'static>] = &[Value::Text(texts::own("session"))];
const LOGIN: &[Value<'static>] =
    &[Value::Text(texts::own("authentication")), Value::Text(texts::own("session"))];
const THREAT: &[Value<'static>] = &[Value::Text(texts::own("threat"))];

const NONE: Types = Types::NONE;
const ACCESS: Types = Types::ACCESS;
const ADMIN: Types = Types::ADMIN;
const CHANGE: Types = Types::CHANGE;
const CREATION: Types = Types::CREATION;
const DELETION: Types = Types::DELETION;
const END: Types = Types::END;
const GROUP: Types = Types::GROUP;
const INFO: Types = Types::INFO;
const START: Types = Types::START;
const USER: Types = Types::USER;

type Categories = &'static [Value<'static>];

/// A family whose event types are all the same.
const fn all(prefix: &'static str, categories: Categories, types: Types) -> Family {
    Family { prefix, categories, types, rest: Rest::Ignored }
}

/// A family whose event types follow their verb.
const fn by(prefix: &'static str, categories: Categories, types: Types) -> Family {
    Family { prefix, categories, types, rest: Rest::Verbs }
}

/// As [`by`], for families that mix users and groups.
const fn mixed(prefix: &'static str, categories: Categories) -> Family {
    Family { prefix, categories, types: Types::NONE, rest: Rest::VerbsAndNouns }
}

/// What single event types are in addition to their family.
pub(super) const ADDED: [(&[&str], Types); 5] = [
    (
        &[
            "user.lifecycle.activate",
            "user.lifecycle.deactivate",
            "user.lifecycle.suspend",
            "user.lifecycle.unsuspend",
            "application.user_membership.add",
            "application.user_membership.remove",
            "application.user_membership.change_username",
        ],
        CHANGE.and(INFO),
    ),
    (
        &[
            "group.user_membership.add",
            "group.user_membership.remove",
            "policy.lifecycle.activate",
            "policy.lifecycle.deactivate",
            "policy.rule.activate",
            "policy.rule.add",
            "policy.rule.deactivate",
        ],
        CHANGE,
    ),
    (&["user.lifecycle.create"], INFO),
    (
        &[
            "system.org.rate_limit.warning",
            "system.org.rate_limit.violation",
            "core.concurrency.org.limit.violation",
        ],
        Types::NETWORK,
    ),
    (&["security.request.blocked"], Types::NETWORK),
];

#[rustfmt::skip]
pub(super) const FAMILIES: &[Family] = &[
    by("access.", IAM, NONE),
    all("account.org.status.update", CONFIGURATION, CHANGE.and(INFO)),
    by("account.", CONFIGURATION, NONE),
    all("analytics.reports.export.generate", CONFIGURATION, CREATION.and(INFO)),
    all("analytics.", CONFIGURATION, INFO),

    all("app.access_request.approver.", IAM, ADMIN),
    all("app.access_request.delete", IAM, ADMIN.and(DELETION)),
    all("app.access_request.", IAM, INFO),
    all("app.ad.api.", IAM, USER),
    all("app.ad.password_migration_campaign.create", CONFIGURATION, CREATION),
    all("app.ad.password_migration_campaign.cancel.end", CONFIGURATION, DELETION),
    all("app.ad.", CONFIGURATION, INFO),
    by("app.app_instance.csr.", CONFIGURATION, NONE),
    all("app.app_instance.provision_sync_job.failed", IAM, CREATION.and(INFO)),
    all("app.app_instance.", IAM, CREATION),
    all("app.generic.", AUTHENTICATION, INFO),
    all("app.inbound_del_auth.", AUTHENTICATION, INFO.and(START)),
    all("app.kerberos_rich_client.user_authentication", AUTHENTICATION, INFO),
    by("app.keys.", CONFIGURATION, NONE),
    all("app.ldap.", AUTHENTICATION, INFO),
    all("app.oauth2.as.resource_server.credentials.lifecycle.activate", AUTHENTICATION, START),
    all("app.oauth2.as.resource_server.credentials.lifecycle.deactivate", AUTHENTICATION, END.and(START)),
    all("app.oauth2.client.lifecycle.activate", AUTHENTICATION, START),
    all("app.oauth2.client.lifecycle.deactivate", AUTHENTICATION, END.and(START)),
    all("app.oauth2.credentials.lifecycle.activate", AUTHENTICATION, START),
    all("app.oauth2.credentials.lifecycle.deactivate", AUTHENTICATION, END.and(START)),
    all("app.oauth2.", AUTHENTICATION, INFO),
    all("app.office365.api.error.push.password", AUTHENTICATION, INFO),
    all("app.office365.api.error.revoke.refresh.token", AUTHENTICATION, INFO),
    all("app.office365.api.error.validate.admin", IAM, ADMIN),
    all("app.office365.clientplatform.", CONFIGURATION, INFO),
    all("app.office365.graph.api.error.service.principal.msgraph.", AUTHENTICATION, INFO),
    all("app.office365.graph.", CONFIGURATION, INFO),
    all("app.office365.service.principal.cleanup.job.invalid.", AUTHENTICATION, INFO),
    by("app.office365.service.principal.", CONFIGURATION, NONE),
    mixed("app.office365.", IAM),
    by("app.policy.", CONFIGURATION, NONE),
    all("app.radius.agent.listener.failed", NETWORK, Types::DENIED.and(Types::PROTOCOL)),
    all("app.radius.agent.listener.", NETWORK, Types::PROTOCOL),
    all("app.radius.agent.", NETWORK, ACCESS.and(Types::PROTOCOL)),
    all("app.radius.", IAM, INFO),
    all("app.realtimesync.import.details.update", CONFIGURATION, CHANGE.and(INFO)),
    by("app.realtimesync.", CONFIGURATION, NONE),
    by("app.saml.", CONFIGURATION, NONE),
    by("app.user_management", CONFIGURATION, NONE),
    all("app.", CONFIGURATION, INFO),

    all("application.appuser.", IAM, USER),
    all("application.configuration.disable_delauth", AUTHENTICATION, END),
    all("application.configuration.enable_delauth", AUTHENTICATION, START),
    all("application.configuration.update_api_credentials", AUTHENTICATION, INFO),
    all("application.integration.authentication_failure", AUTHENTICATION, INFO),
    all("application.policy.sign_on.deny_access", CONFIGURATION, ACCESS.and(INFO)),
    by("application.provision.group.", IAM, CREATION.and(GROUP)),
    by("application.provision.group_membership.", IAM, CREATION.and(GROUP)),
    all("application.provision.group_push.mapping.app.group.renamed", IAM, CREATION.and(GROUP)),
    all("application.provision.group_push.mapping.deactivated.source.group.", IAM, CREATION.and(GROUP)),
    all("application.provision.group_push.mapping.created.from.rule.warning.upsertGroup", IAM, CREATION.and(GROUP)),
    all("application.provision.group_push.push_memberships", IAM, CREATION.and(GROUP)),
    by("application.provision.group_push.", CONFIGURATION, CREATION),
    all("application.provision.user.password", AUTHENTICATION, INFO),
    all("application.provision.user.push_okta_password", AUTHENTICATION, INFO),
    all("application.provision.user.push_password", AUTHENTICATION, INFO),
    by("application.provision.user.", IAM, CREATION.and(USER)),
    by("application.provision.", CONFIGURATION, CREATION),
    all("application.user_membership.change_password", AUTHENTICATION, INFO),
    all("application.user_membership.restore_password", AUTHENTICATION, INFO),
    all("application.user_membership.show_password", AUTHENTICATION, INFO),
    by("application.user_membership.", IAM, USER),
    by("application.", CONFIGURATION, NONE),

    by("certification.", CONFIGURATION, NONE),
    all("core.user_auth.", AUTHENTICATION, INFO),
    all("core.", CONFIGURATION, INFO),
    all("credential.", AUTHENTICATION, INFO),

    by("device.assurance.", CONFIGURATION, NONE),
    all("device.custom_push.", AUTHENTICATION, INFO),
    all("device.desktop_mfa.device_logout.completed", AUTHENTICATION, END),
    all("device.desktop_mfa.device_logout.started", AUTHENTICATION, END.and(START)),
    all("device.desktop_mfa.", AUTHENTICATION, INFO),
    all("device.integration.", CONFIGURATION, INFO),
    all("device.lifecycle.activate", HOST, START),
    all("device.lifecycle.deactivate", HOST, END.and(START)),
    all("device.lifecycle.delete", HOST, INFO),
    all("device.lifecycle.", HOST, END),
    all("device.password_sync.", AUTHENTICATION, INFO),
    all("device.platform_sso.", AUTHENTICATION, INFO),
    all("device.platform.secret_key.reset", HOST, CHANGE),
    all("device.platform.update", HOST, CHANGE),
    all("device.posture.check.update", HOST, CHANGE),
    all("device.push.provider.update", HOST, CHANGE),
    all("device.token.", AUTHENTICATION, INFO),
    by("device.user.", IAM, USER),
    all("device.", HOST, INFO),

    by("directory.external.group.", IAM, GROUP),
    by("directory.linked_object.", CONFIGURATION, NONE),
    by("directory.mapping.", CONFIGURATION, NONE),
    all("directory.user_profile.update", IAM, CHANGE.and(INFO).and(USER)),
    by("directory.", IAM, USER),

    all("event_hook.activated", CONFIGURATION, CHANGE),
    all("event_hook.deactivated", CONFIGURATION, CHANGE),
    by("event_hook.", CONFIGURATION, NONE),

    all("group.privilege.grant", IAM, GROUP.and(INFO)),
    all("group.profile.update", IAM, ADMIN.and(CHANGE).and(GROUP)),
    by("group.user_membership.", IAM, GROUP.and(USER)),
    by("group.", IAM, GROUP),

    by("iam.role.permission.conditions.", IAM, NONE),
    by("iam.role.", IAM, INFO),
    by("iam.", CONFIGURATION, INFO),
    all("inline_hook.activated", CONFIGURATION, CHANGE),
    all("inline_hook.deactivated", CONFIGURATION, CHANGE),
    by("inline_hook.", CONFIGURATION, NONE),
    all("integration.api_service.lifecycle.authorize", AUTHENTICATION, INFO),
    by("integration.", CONFIGURATION, NONE),
    all("master_application.", CONFIGURATION, INFO),
    all("mim.createEnrollment.", CONFIGURATION, CREATION),
    by("mim.", CONFIGURATION, NONE),
    all("network_zone.", CONFIGURATION, CHANGE),
    all("oauth2.as.activated", CONFIGURATION, CHANGE),
    all("oauth2.as.deactivated", CONFIGURATION, CHANGE),
    all("oauth2.scope.updated", CONFIGURATION, INFO),
    by("oauth2.", CONFIGURATION, NONE),
    all("org.", CONFIGURATION, INFO),

    all("pam.active_directory.connection.", NETWORK, Types::CONNECTION),
    all("pam.ad_connection.", NETWORK, Types::CONNECTION),
    all("pam.auth_token.", AUTHENTICATION, INFO),
    all("pam.client_enrollment_policy_token.", AUTHENTICATION, INFO),
    all("pam.gateway.setup_token.", AUTHENTICATION, INFO),
    all("pam.group.bulk_membership_change", IAM, GROUP),
    by("pam.group.", IAM, GROUP),
    by("pam.offline_group.", IAM, GROUP),
    all("pam.password.", AUTHENTICATION, INFO),
    by("pam.permission.", IAM, NONE),
    all("pam.preauthorization.", AUTHENTICATION, INFO),
    by("pam.resource_group.", IAM, ADMIN.and(GROUP)),
    all("pam.server.ssh_login", AUTHENTICATION, START),
    all("pam.server_account.password_change.initiated", AUTHENTICATION, START),
    all("pam.server_account.password_change.", AUTHENTICATION, INFO),
    all("pam.service_account.password.", AUTHENTICATION, INFO),
    all("pam.service_account.password_rotation.start", AUTHENTICATION, START),
    all("pam.service_account.password_rotation.", AUTHENTICATION, END),
    by("pam.user.", IAM, USER),
    by("pam.", CONFIGURATION, NONE),

    all("personal.user.", IAM, USER),
    by("personal.", CONFIGURATION, NONE),
    by("pki.", CONFIGURATION, NONE),
    all("plugin.", CONFIGURATION, INFO),
    all("policy.auth_reevaluate.", AUTHENTICATION, INFO),
    all("policy.continuous_access.", CONFIGURATION, ACCESS),
    all("policy.evaluate_sign_on", AUTHENTICATION, INFO),
    all("policy.execute.user.", IAM, USER),
    by("policy.", CONFIGURATION, NONE),
    all("scheduled_action.user_suspension.canceled", CONFIGURATION, CHANGE),
    by("scheduled_action.", CONFIGURATION, NONE),

    all("security.attack_protection.", CONFIGURATION, CHANGE),
    all("security.attack.", THREAT, Types::INDICATOR),
    all("security.authenticator.lifecycle.activate", AUTHENTICATION, INFO.and(START)),
    all("security.authenticator.lifecycle.deactivate", AUTHENTICATION, END.and(INFO).and(START)),
    all("security.authenticator.", AUTHENTICATION, INFO),
    by("security.behavior.", CONFIGURATION, INFO),
    all("security.breached_credential.", AUTHENTICATION, INFO),
    all("security.session.", SESSION, INFO),
    all("security.threat.configuration.", CONFIGURATION, CHANGE.and(INFO)),
    all("security.threat.detected", THREAT, Types::INDICATOR),
    by("security.zone.", CONFIGURATION, NONE),
    all("security.", THREAT, NONE),
    all("self_service.", CONFIGURATION, CHANGE),
    all("support.org.update", CONFIGURATION, CHANGE.and(INFO)),
    all("support.", CONFIGURATION, INFO),

    all("system.agent.ad.config_change_detected", CONFIGURATION, INFO),
    all("system.agent.ad.reset_user_password", AUTHENTICATION, INFO),
    all("system.agent.auto_update", CONFIGURATION, INFO),
    all("system.agent.ldap.change_user_password", AUTHENTICATION, INFO),
    all("system.agent.ldap.config_change_detected", CONFIGURATION, INFO),
    all("system.agent.ldap.reset_user_password", AUTHENTICATION, INFO),
    all("system.agent.ldap.update_user_password", AUTHENTICATION, INFO),
    all("system.agent.register", CONFIGURATION, CREATION.and(INFO)),
    by("system.agent.", CONFIGURATION, NONE),
    all("system.agent_pools.", CONFIGURATION, INFO),
    all("system.api_token.enable", AUTHENTICATION, START),
    all("system.api_token.", AUTHENTICATION, INFO),
    by("system.brand.", CONFIGURATION, INFO),
    all("system.custom_email_server.lifecycle.activate", CONFIGURATION, CHANGE),
    all("system.custom_email_server.lifecycle.deactivate", CONFIGURATION, CHANGE),
    all("system.custom_signin.", AUTHENTICATION, START),
    all("system.custom_signout.", AUTHENTICATION, END),
    by("system.custom_url_domain.", CONFIGURATION, INFO),
    by("system.directory.debugger.", CONFIGURATION, INFO),
    all("system.email.challenge_factor", AUTHENTICATION, INFO),
    all("system.email.mfa_", AUTHENTICATION, INFO),
    all("system.email.password_reset.", AUTHENTICATION, INFO),
    all("system.email.send_factor", AUTHENTICATION, INFO),
    by("system.email.template.", CONFIGURATION, NONE),
    all("system.email.", CONFIGURATION, INFO),
    by("system.email_domain.", CONFIGURATION, INFO),
    by("system.hook.key.", CONFIGURATION, INFO),
    all("system.identity_sources.bulk_group_membership_", IAM, GROUP),
    all("system.identity_sources.", CONFIGURATION, INFO),
    by("system.import.group.", IAM, GROUP),
    all("system.import.group_membership.", IAM, GROUP),
    all("system.import.membership_processing.", IAM, INFO),
    all("system.import.session.expired", SESSION, END),
    all("system.import.session.", SESSION, INFO),
    by("system.import.user.", IAM, USER),
    all("system.iwa_agentless.auth", AUTHENTICATION, INFO),
    all("system.iwa_agentless.user.", IAM, INFO.and(USER)),
    all("system.ldapi.bind", AUTHENTICATION, INFO),
    all("system.ldapi.unbind", AUTHENTICATION, INFO),
    by("system.log_stream.", CONFIGURATION, INFO),
    all("system.mfa.factor.activate", AUTHENTICATION, START),
    all("system.mfa.factor.deactivate", AUTHENTICATION, END),
    all("system.oauth2.", AUTHENTICATION, INFO),
    all("system.push.", AUTHENTICATION, INFO),
    all("system.sms.send_factor", AUTHENTICATION, INFO),
    all("system.sms.send_password", AUTHENTICATION, INFO),
    all("system.sms.send_phone", AUTHENTICATION, INFO),
    all("system.voice.send_mfa", AUTHENTICATION, INFO),
    all("system.voice.send_password", AUTHENTICATION, INFO),
    all("system.voice.send_phone", AUTHENTICATION, INFO),
    by("system.", CONFIGURATION, NONE),
    by("task.", CONFIGURATION, NONE),

    all("user.account.expire_password", AUTHENTICATION, END.and(INFO)),
    all("user.account.preference_update", IAM, USER),
    all("user.account.privilege.grant", IAM, INFO.and(USER)),
    all("user.account.report_suspicious_activity", IAM, INFO.and(USER)),
    all("user.account.reset_password", AUTHENTICATION, INFO),
    all("user.account.update_password", AUTHENTICATION, INFO),
    by("user.account.", IAM, USER),
    all("user.authentication.universal_logout", AUTHENTICATION, END),
    all("user.authentication.", AUTHENTICATION, INFO),
    all("user.behavior.", IAM, ADMIN.and(CHANGE).and(USER)),
    all("user.credential.", AUTHENTICATION, INFO),
    all("user.identity_snapshot.", IAM, ADMIN.and(CREATION).and(USER)),
    all("user.identity_verification.start", AUTHENTICATION, START),
    all("user.identity_verification", AUTHENTICATION, INFO),
    all("user.import.", AUTHENTICATION, INFO),
    all("user.lifecycle.password", AUTHENTICATION, INFO),
    by("user.lifecycle.", IAM, USER),
    all("user.mfa.factor.activate", AUTHENTICATION, INFO.and(START)),
    all("user.mfa.factor.deactivate", AUTHENTICATION, END.and(INFO)),
    all("user.mfa.", AUTHENTICATION, INFO),
    by("user.risk.", IAM, USER),
    all("user.session.end", LOGIN, END.and(INFO)),
    all("user.session.expire", SESSION, END),
    all("user.session.impersonation.end", SESSION, END),
    all("user.session.impersonation.initiate", SESSION, START),
    all("user.session.start", LOGIN, INFO.and(START)),
    all("user.session.", SESSION, INFO),
    all("user.", IAM, USER),

    all("workflows.user.connection.reauthorize", AUTHENTICATION, INFO),
    by("workflows.user.execution_log_stream_connection.", IAM, USER),
    all("workflows.user.flow.move", IAM, INFO.and(USER)),
    by("workflows.user.flow.", IAM, USER),
    all("workflows.user.folder.duplicate", IAM, USER),
    by("workflows.user.role.group.", IAM, GROUP.and(INFO).and(USER)),
    by("workflows.", IAM, INFO.and(USER)),
    by("zone.", CONFIGURATION, NONE),
];
