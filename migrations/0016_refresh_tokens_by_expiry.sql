-- no-transaction
-- For tidying up.
create index concurrently if not exists refresh_tokens_by_expiry on refresh_tokens (expires_at);
