//! Who one is.

use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::{Customer, Json};
use super::problem::Problem;
use crate::accounts::{Account, Accounts, Role};
use crate::ids::AccountId;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(me))
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
async fn me(State(accounts): State<Accounts>, customer: Customer) -> Result<Json<AccountBody>, Problem> {
    Ok(Json(accounts.account(customer.id()).await?.into()))
}
