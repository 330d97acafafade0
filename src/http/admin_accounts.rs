//! Accounts with a role, which only an administrator hands out.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::{Admin, Json, Path, Query, invalid};
use super::idempotency::Operation;
use super::me::AccountBody;
use super::pagination::{Page, Paged};
use super::problem::{Problem, ProblemBody};
use crate::accounts::{AccountChange, NewAccount, Role};
use crate::ids::AccountId;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(change))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateAccount {
    #[schema(example = "Otto Organiser")]
    name: String,
    #[schema(example = "otto@example.com")]
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    role: Role,
}

/// Opens an account with any role.
#[utoipa::path(
    post, path = "/v1/admin/accounts", tag = "admin", security(("bearer" = [])), request_body = CreateAccount,
    responses(
        (status = 201, description = "The account", body = AccountBody),
        (status = 409, description = "`email_taken`, `still_running`", body = ProblemBody),
    ),
)]
async fn create(
    State(app): State<AppState>,
    _: Admin,
    operation: Operation,
    Json(wish): Json<CreateAccount>,
) -> Result<(StatusCode, Json<AccountBody>), Problem> {
    let account = NewAccount {
        id: AccountId(operation.0),
        name: wish.name,
        email: wish.email,
        password: wish.password,
        role: wish.role,
    };
    Ok((StatusCode::CREATED, Json(app.accounts.create(account).await?.into())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Search {
    /// Part of a name or an address.
    search: Option<String>,
}

/// Accounts, newest first.
#[utoipa::path(
    get, path = "/v1/admin/accounts", tag = "admin", security(("bearer" = [])), params(Page, Search),
    responses((status = 200, description = "A page of accounts", body = Paged<AccountBody>)),
)]
async fn list(
    State(app): State<AppState>,
    _: Admin,
    Query(page): Query<Page>,
    Query(search): Query<Search>,
) -> Result<Json<Paged<AccountBody>>, Problem> {
    let after = page.after()?.map(AccountId);
    let found = app.accounts.list(search.search.as_deref(), after, page.limit_and_one()).await?;
    let items = found.into_iter().map(AccountBody::from).collect();
    Ok(Json(Paged::cut(items, &page, |account: &AccountBody| account.id())))
}

/// What is to change; at least one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeAccount {
    role: Option<Role>,
    /// `true` signs the account out everywhere and keeps it out; `false` lets it in again.
    disabled: Option<bool>,
}

/// Gives an account another role, disables it, or lets it in again.
///
/// Its access tokens end at once; whoever is still allowed in gets new ones, with the new role, by refreshing.
#[utoipa::path(
    patch, path = "/v1/admin/accounts/{id}", tag = "admin", security(("bearer" = [])), params(("id" = AccountId, Path)),
    request_body = ChangeAccount,
    responses(
        (status = 200, description = "The account as it is now", body = AccountBody),
        (status = 403, description = "`forbidden`: also for one's own account", body = ProblemBody),
    ),
)]
async fn change(
    State(app): State<AppState>,
    admin: Admin,
    Path(id): Path<AccountId>,
    Json(wish): Json<ChangeAccount>,
) -> Result<Json<AccountBody>, Problem> {
    if wish.role.is_none() && wish.disabled.is_none() {
        return Err(invalid("role", "one of role and disabled is required"));
    }
    let change = AccountChange { role: wish.role, disabled: wish.disabled };
    Ok(Json(app.accounts.change(id, change, admin.id()).await?.into()))
}
