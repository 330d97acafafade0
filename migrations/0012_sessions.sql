-- no-transaction
-- For whoever signs out everywhere, changes a password or is shut out: all sign-ins of one account end, and a table of
-- everybody's is not read for that.
create index concurrently if not exists refresh_tokens_by_account on refresh_tokens (account_id) where revoked_at is null;
