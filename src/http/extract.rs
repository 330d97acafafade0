//! What a handler is given: values that were parsed and callers that were checked before it runs.
//!
//! Who may call is an argument. A handler that takes [`Admin`] cannot be reached by anyone else, and one that
//! takes none of the three is public.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AppState;
use super::json;
use super::problem::{Code, FieldFault, Problem};
use crate::accounts::{Caller, Role};
use crate::ids::AccountId;

/// Who sent the request, as far as its `Authorization` header proves.
#[derive(Debug, Clone, Copy)]
pub enum Identity {
    Anonymous,
    Known(Caller),
    /// There was a token, and it is not (or no longer) valid. Public calls do not mind.
    Doubtful,
}

/// Reads the access token once, for every layer and extractor inside. It touches no store.
pub fn identify(app: &AppState, request: &mut Request) {
    let identity = match bearer(request.headers()) {
        None => Identity::Anonymous,
        Some(token) => app.accounts.verify(token).map_or(Identity::Doubtful, Identity::Known),
    };
    request.extensions_mut().insert(identity);
}

/// The token of `Authorization: Bearer …`; another scheme is a token that no key of ours has signed.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Some(token.map_or("", |(_, token)| token.trim()))
}

fn caller(parts: &Parts) -> Result<Caller, Problem> {
    match parts.extensions.get::<Identity>() {
        Some(Identity::Known(caller)) => Ok(*caller),
        Some(Identity::Doubtful) => {
            Err(Code::NotAuthenticated.detail("The access token is not valid, or no longer."))
        }
        Some(Identity::Anonymous) | None => Err(Code::NotAuthenticated.problem()),
    }
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident: $($role:ident)|+;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name(pub Caller);

        impl $name {
            #[must_use]
            pub fn id(self) -> AccountId {
                self.0.id
            }
        }

        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                let caller = caller(parts)?;
                match caller.role {
                    $(Role::$role)|+ => Ok(Self(caller)),
                    #[allow(unreachable_patterns, reason = "some callers may have any role")]
                    Role::Customer | Role::Organiser | Role::Admin => Err(Code::Forbidden.problem()),
                }
            }
        }
    )*};
}

callers! {
    /// Anybody who is signed in: organisers buy tickets, too.
    Customer: Customer | Organiser | Admin;
    /// Who may run events: their own, or as an administrator everybody's.
    Organiser: Organiser | Admin;
    /// Who runs the service.
    Admin: Admin;
}

/// A JSON body. Whatever is wrong with it is told as a problem that names the field.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A stadium takes a while to read, and whoever shares the lane would wait for it.
const LARGE_BODY: usize = 256 << 10;

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !json::is_announced(request.headers()) {
            return Err(Code::UnsupportedMediaType.problem());
        }
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|cause| Code::BadRequest.detail(cause.body_text()))?;
        if bytes.len() < LARGE_BODY {
            return json::parse(&bytes).map(Self);
        }
        let read = tokio::task::spawn_blocking(move || json::parse(&bytes));
        read.await.expect("reading does not panic, and the runtime outlives it").map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Parts of the path. One that cannot be an id is the id of nothing: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(fault))
                if !matches!(
                    fault.kind(),
                    ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. }
                ) =>
            {
                Err(Code::NotFound.problem())
            }
            // The handler asks for what its path does not have.
            Err(fault) => Err(Problem::internal(fault)),
        }
    }
}

/// The query string, in which unknown names are ignored and known ones must make sense.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Code::BadRequest.detail("text cannot hold NUL characters"));
        }
        extract::Query::<T>::try_from_uri(&parts.uri).map(|extract::Query(value)| Self(value)).map_err(
            |fault| {
                let text =
                    std::error::Error::source(&fault).map_or_else(|| fault.body_text(), ToString::to_string);
                // The source reads "field: what is wrong", or names the field in backticks.
                let (path, message) = text.split_once(": ").unwrap_or((".", &text));
                Problem::invalid(vec![json::field_fault(path, message)])
            },
        )
    }
}

/// One fault as a whole problem.
#[must_use]
pub fn invalid(field: &str, message: impl Into<String>) -> Problem {
    Problem::invalid(vec![FieldFault::new(field, message)])
}
