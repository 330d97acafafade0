//! Who one is.

use axum::extract::State;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::auth::TokensBody;
use super::extract::{Customer, Json};
use super::problem::{Problem, ProblemBody};
use super::visitor::Visitor;
use crate::accounts::{Account, AccountsError, Role};
use crate::ids::AccountId;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(me)).routes(routes!(change_password))
}

/// Somebody who can sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountBody {
    id: AccountId,
    name: String,
    email: String,
    role: Role,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// Since when it may not sign in; left out while it may.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<OffsetDateTime>,
}

impl From<Account> for AccountBody {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            name: account.name,
            email: account.email,
            role: account.role,
            created_at: account.created_at,
            disabled_at: account.disabled_at,
        }
    }
}

impl AccountBody {
    pub(super) fn id(&self) -> AccountId {
        self.id
    }
}

/// Your own account.
#[utoipa::path(get, path = "/v1/me", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, description = "The account", body = AccountBody),
))]
async fn me(State(app): State<AppState>, customer: Customer) -> Result<Json<AccountBody>, Problem> {
    Ok(Json(app.accounts.account(customer.id()).await?.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    #[schema(value_type = String, format = Password, example = "four-quiet-words-here")]
    current_password: SecretString,
    #[schema(value_type = String, format = Password, example = "five-other-words-for-it")]
    new_password: SecretString,
}

/// Gives your account another password.
///
/// Every sign-in of the account ends, access tokens included; the answer is a new one. Wrong tries count as those at the
/// sign-in do.
#[utoipa::path(
    post, path = "/v1/me/password", tag = "accounts", security(("bearer" = [])), request_body = ChangePassword,
    responses(
        (status = 200, description = "Changed, and signed in anew", body = TokensBody),
        (status = 401, description = "`bad_credentials`, `not_authenticated`", body = ProblemBody),
    ),
)]
async fn change_password(
    State(app): State<AppState>,
    visitor: Visitor,
    customer: Customer,
    Json(wish): Json<ChangePassword>,
) -> Result<Json<TokensBody>, Problem> {
    let email = app.accounts.account(customer.id()).await?.email;
    let attempt = app.limits.attempt(&email, visitor.0).await?;
    let answer =
        app.accounts.change_password(customer.id(), &wish.current_password, &wish.new_password).await;
    match &answer {
        Ok(_) => attempt.succeeded().await,
        Err(AccountsError::BadCredentials) => drop(attempt),
        Err(_) => attempt.was_not_made().await,
    }
    Ok(Json(answer?.into()))
}
