-- Why a turn was answered as it was: model rule, candidates, attempts, where
-- its configuration came from (src/gateway/why.h).  Null of turns before, and
-- of those that were lost with their worker.
ALTER TABLE data.turns ADD COLUMN why jsonb;
