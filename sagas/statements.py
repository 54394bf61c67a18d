"""The journal's statements that every step runs, as SQL: the ORM would build each anew each time.

Building them took more of a worker's time than PostgreSQL took to run them (docs/performance.md).
None needs a transaction around it: where none is open, each is one commit.
"""

#: Only the row that the caller saw. The epoch fences whoever was dispatched before; the revision
#: tells two copies of one message apart where the state does not change.
AS_SEEN = "id = %(id)s AND epoch = %(epoch)s AND state = %(seen)s AND revision = %(revision)s"

#: A saga with what the database's clock says of it, and whether a switch holds ``step`` back.
#: ``columns`` are named: a connection that has planned ``*`` refuses it once a migration adds one.
READ = """
SELECT {columns},
       deadline_at <= statement_timestamp() AS past_deadline,
       coalesce(next_attempt_at, lease_until) <= statement_timestamp() AS is_due,
       EXISTS (
           SELECT FROM sagas_switch WHERE name = 'step:' || saga.kind || ':' || %(step)s
       ) AS step_is_held
  FROM sagas_saga AS saga
 WHERE id = %(id)s
"""

CLAIM = f"""
UPDATE sagas_saga
   SET claimed_at = statement_timestamp(),
       claimed_by = pg_backend_pid(),
       lease_until = statement_timestamp() + make_interval(secs => %(lease)s),
       next_attempt_at = NULL,
       attempts = attempts + 1,
       revision = revision + 1,
       updated_at = statement_timestamp()
 WHERE {AS_SEEN}
"""

TOUCH = f"""
UPDATE sagas_saga
   SET revision = revision + 1, updated_at = statement_timestamp()
 WHERE {AS_SEEN}
"""

#: The lease of a claim ends with the session that took it. A session with the same process id that
#: began after the claim is another one. What was claimed after this statement began is left alone:
#: its session may be younger than the picture of all sessions that the statement looks at.
END_ORPHANED_LEASES = """
UPDATE sagas_saga
   SET lease_until = statement_timestamp(),
       revision = revision + 1,
       updated_at = statement_timestamp()
 WHERE id IN (
           SELECT saga.id
             FROM sagas_saga AS saga
            WHERE saga.claimed_at < statement_timestamp()
              AND saga.claimed_by IS NOT NULL
              AND saga.lease_until > statement_timestamp()
              AND NOT EXISTS (
                      SELECT FROM pg_stat_activity AS session
                       WHERE session.pid = saga.claimed_by
                         AND coalesce(session.backend_start, '-infinity') <= saga.claimed_at
                  )
              FOR UPDATE SKIP LOCKED
       )
"""

#: A message was sent to a worker's queue, and none has taken it. Writing the row sent it, so that
#: ``updated_at`` says when.
_WAITS_FOR_A_WORKER = """
       saga.parked = ''
   AND saga.claimed_at IS NULL
   AND saga.next_attempt_at IS NULL
   AND saga.lease_until IS NOT NULL
"""
_PLACES = """
unnest(%(kinds)s::text[], %(versions)s::int[], %(states)s::text[], %(before_pivot)s::bool[])
    AS place (kind, version, state, is_before_pivot)
"""

SENT_SINCE = f"""
SELECT saga.updated_at
  FROM sagas_saga AS saga JOIN {_PLACES} USING (kind, version, state)
 WHERE {_WAITS_FOR_A_WORKER}
 ORDER BY saga.updated_at DESC
OFFSET %(newest)s - 1
 LIMIT 1
"""

#: When the last message of a queue was sent, at the least, that is known to have come through: its
#: attempt is in the history, and what its saga did before was written before it was sent. Not so
#: the late word of a worker that was frozen: the saga has been sent again since. Nor a message of a
#: later dispatch, which may have gone before all others. What a message waits for is recent: the
#: last attempts are enough, and cost the same however long the history is.
CAME_THROUGH = """
SELECT max(coalesce(before.recorded_at, saga.created_at))
  FROM (
           SELECT run.id, run.saga_id, run.epoch
             FROM sagas_steprun AS run
             JOIN unnest(%(steps)s::text[], %(directions)s::text[]) AS told (step, direction)
                  USING (step, direction)
            WHERE run.id > (SELECT max(id) FROM sagas_steprun) - 2000
              AND run.outcome NOT IN ('lost', 'superseded')
            ORDER BY run.id DESC
            LIMIT 100
       ) AS run
  JOIN sagas_saga AS saga ON saga.id = run.saga_id
  LEFT JOIN LATERAL (
           SELECT earlier.recorded_at, earlier.epoch
             FROM sagas_steprun AS earlier
            WHERE earlier.saga_id = run.saga_id AND earlier.id < run.id
            ORDER BY earlier.id DESC
            LIMIT 1
       ) AS before ON TRUE
 WHERE run.epoch = coalesce(before.epoch, 1)
"""

#: Whoever has waited for so long waits half as long again, up to the longest; before the pivot not
#: beyond the deadline. ``updated_at`` goes on saying when the message was sent.
LEAVE_QUEUED = f"""
UPDATE sagas_saga AS saga
   SET lease_until = least(
           statement_timestamp() + greatest(
               make_interval(secs => %(shortest)s),
               least(
                   make_interval(secs => %(longest)s),
                   (statement_timestamp() - saga.updated_at) / 2
               )
           ),
           CASE WHEN waiting.is_before_pivot THEN saga.deadline_at END
       ),
       revision = saga.revision + 1
  FROM (
           SELECT saga.id, place.is_before_pivot
             FROM sagas_saga AS saga JOIN {_PLACES} USING (kind, version, state)
            WHERE {_WAITS_FOR_A_WORKER}
              AND coalesce(saga.next_attempt_at, saga.lease_until) <= statement_timestamp()
              AND (%(since)s::timestamptz IS NULL OR saga.updated_at >= %(since)s)
              AND NOT (place.is_before_pivot AND saga.deadline_at <= statement_timestamp())
            LIMIT %(limit)s
              FOR UPDATE OF saga SKIP LOCKED
       ) AS waiting
 WHERE saga.id = waiting.id
"""

#: A time of NULL seconds is no time. Before the pivot the deadline caps both.
_SAVE = f"""
UPDATE sagas_saga
   SET state = %(state)s,
       reached = %(reached)s,
       results = %(results)s,
       undone = %(undone)s,
       given_up = %(given_up)s,
       attempts = %(attempts)s,
       recoveries = %(recoveries)s,
       parked = %(parked)s,
       parked_at = CASE WHEN %(is_parked)s THEN coalesce(parked_at, statement_timestamp()) END,
       reason = %(reason)s,
       reason_step = %(reason_step)s,
       reason_detail = %(reason_detail)s,
       epoch = epoch + %(raised)s,
       revision = revision + 1,
       claimed_at = NULL,
       claimed_by = NULL,
       lease_until = least(
           statement_timestamp() + make_interval(secs => %(lease)s),
           CASE WHEN %(is_capped)s AND %(lease)s IS NOT NULL THEN deadline_at END
       ),
       next_attempt_at = least(
           statement_timestamp() + make_interval(secs => %(wait)s),
           CASE WHEN %(is_capped)s AND %(wait)s IS NOT NULL THEN deadline_at END
       ),
       finished_at = CASE WHEN %(is_settled)s
           THEN coalesce(finished_at, statement_timestamp()) END,
       updated_at = statement_timestamp()
       {{error}}
 WHERE {AS_SEEN}
"""
_ERROR = """,
       error_step = %(step)s,
       error_direction = %(direction)s,
       error_outcome = %(outcome)s,
       error_type = %(error_type)s,
       error_message = %(error_message)s,
       error_at = statement_timestamp()
"""
_HISTORY = """
INSERT INTO sagas_steprun (
    saga_id, step, direction, attempt, epoch, outcome, worker,
    duration_ms, error_type, error_code, error_message, result
)
SELECT %(id)s, %(step)s, %(direction)s, %(attempt)s, %(run_epoch)s, %(outcome)s, %(worker)s,
       %(duration_ms)s, %(error_type)s, %(error_code)s, %(error_message)s, %(result)s
"""

SAVE = _SAVE.format(error="")
#: The saga and its history row, or neither: the row is made of the update's own.
SAVE_SUCCESS = f"WITH saved AS ({SAVE} RETURNING id) {_HISTORY} FROM saved"
SAVE_FAILURE = f"WITH saved AS ({_SAVE.format(error=_ERROR)} RETURNING id) {_HISTORY} FROM saved"
RECORD = _HISTORY
