//! Signing up, in, on and out.

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::Json;
use super::idempotency::Operation;
use super::me::AccountBody;
use super::problem::{Problem, ProblemBody};
use super::visitor::Visitor;
use crate::accounts::{AccountsError, SignedIn};
use crate::ids::AccountId;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Register {
    #[schema(example = "Cleo Customer")]
    name: String,
    #[schema(example = "cleo@example.com")]
    email: String,
    #[schema(value_type = String, format = Password, example = "four-quiet-words-here")]
    password: SecretString,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    #[schema(example = "customer@holdfast.test")]
    email: String,
    #[schema(value_type = String, format = Password, example = "holdfast-demo-1")]
    password: SecretString,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Logout {
    #[schema(value_type = String)]
    refresh_token: SecretString,
    /// Ends every sign-in of the account, wherever it is, and its access tokens at once.
    #[serde(default)]
    everywhere: bool,
}

/// What a signed-in client keeps.
#[derive(Serialize, ToSchema)]
pub(super) struct TokensBody {
    account: AccountBody,
    /// Goes into `Authorization: Bearer …`.
    access_token: String,
    /// Good for one `refresh`; using it twice signs its whole family out.
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token lives.
    #[schema(example = 900)]
    expires_in: u64,
}

impl From<SignedIn> for TokensBody {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            account: signed_in.account.into(),
            access_token: signed_in.access_token.expose_secret().to_owned(),
            refresh_token: signed_in.refresh_token.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: signed_in.expires_in.into(),
        }
    }
}

/// Opens a customer's account and signs in.
#[utoipa::path(post, path = "/v1/auth/register", tag = "auth", request_body = Register, responses(
    (status = 201, description = "Signed in", body = TokensBody),
    (status = 409, description = "`email_taken`, `still_running`", body = ProblemBody),
))]
async fn register(
    State(app): State<AppState>,
    operation: Operation,
    Json(wish): Json<Register>,
) -> Result<(StatusCode, Json<TokensBody>), Problem> {
    let id = AccountId(operation.0);
    let signed_in = app.accounts.register(id, &wish.name, &wish.email, &wish.password).await?;
    Ok((StatusCode::CREATED, Json(signed_in.into())))
}

/// Signs in.
///
/// Whoever fails too often at one address has to wait, and so does whoever fails too often from one place. What
/// succeeds is not counted.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", request_body = Login, responses(
    (status = 200, description = "Signed in", body = TokensBody),
    (status = 401, description = "`bad_credentials`", body = ProblemBody),
))]
async fn login(
    State(app): State<AppState>,
    visitor: Visitor,
    Json(who): Json<Login>,
) -> Result<Json<TokensBody>, Problem> {
    let attempt = app.limits.attempt(&who.email, visitor.0).await?;
    let answer = app.accounts.login(&who.email, &who.password).await;
    match &answer {
        Ok(_) => attempt.succeeded().await,
        Err(AccountsError::BadCredentials) => drop(attempt),
        Err(_) => attempt.was_not_made().await,
    }
    Ok(Json(answer?.into()))
}

/// Trades a refresh token for new tokens.
///
/// Each refresh token works once. One that is used again was stolen or lost track of: all tokens that came of the
/// same sign-in end. Send an `Idempotency-Key`: when the answer is lost, the same call under the same key gets its
/// tokens, as long as nobody has used them.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", request_body = Refresh, responses(
    (status = 200, description = "Signed in anew", body = TokensBody),
    (status = 401, description = "`bad_refresh_token`", body = ProblemBody),
))]
async fn refresh(
    State(app): State<AppState>,
    operation: Operation,
    Json(token): Json<Refresh>,
) -> Result<Json<TokensBody>, Problem> {
    Ok(Json(app.accounts.refresh(&token.refresh_token, operation.0).await?.into()))
}

/// Signs out: the refresh token and all that came of the same sign-in end.
///
/// A token that is no longer valid answers the same. Access tokens already given live on for their few minutes, unless
/// the account signs out everywhere.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", request_body = Logout, responses(
    (status = 204, description = "Signed out"),
))]
async fn logout(State(app): State<AppState>, Json(wish): Json<Logout>) -> Result<StatusCode, Problem> {
    if wish.everywhere {
        app.accounts.logout_everywhere(&wish.refresh_token).await?;
    } else {
        app.accounts.logout(&wish.refresh_token).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
