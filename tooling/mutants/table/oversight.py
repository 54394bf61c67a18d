"""What watches and steers: the audit's looks, two operators' word, time limits, staged faults."""

from tooling.mutants.patch import Mutant, Patch, remove

_LOOKING = "sagas/audit/looking.py"
_RUNNING = "sagas/checkout/tests/test_audit_while_running.py"
_RETURNS = "sagas/aftersales/tests/test_returns.py"
_CUTOFF, _CUT = "sagas/cutoff.py", "sagas/tests/test_cutoff.py"
_TRANSPORT, _TRANSPORT_TEST = "config/redis_transport.py", "config/tests/test_redis_transport.py"
_STAGED, _CHAOS = "sagas/disturbances.py", "sagas/tests/test_disturbances.py"

MUTANTS = [
    remove(
        "oversight-second-look",
        "what is suspect is looked at a second time",
        _LOOKING,
        "        second_look(suspects[n : n + PAGE], seen)\n",
        "        seen.faults += found.faults\n",
        f"{_RUNNING}::test_the_second_look_drops_what_had_only_moved",
        f"{_RUNNING}::test_a_checkout_that_is_placed_between_the_reads_is_no_orphan",
    ),
    remove(
        "oversight-revision",
        "a fault counts only if its saga did not move while it was looked at",
        _LOOKING,
        "if fault.saga_id is None or by_now.get(fault.saga_id) == before:",
        "if fault.saga_id or before is None:",
        f"{_RUNNING}::test_a_saga_that_moves_during_the_second_look_too_is_left_to_the_next_run",
    ),
    Mutant(
        name="oversight-followers-revision",
        guard="the revisions of what follows a saga count to its own",
        changes=[
            Patch(
                "sagas/audit/followers.py",
                "revision=claim.revision + sum(each.revision + 1 for each in followers)",
                "revision=claim.revision",
            ),
            Patch("sagas/audit/claims.py", "revision + beside.get(pk, 0)", "revision"),
        ],
        tests=[
            f"{_RETURNS}"
            "::test_one_that_is_made_during_the_second_look_too_is_left_to_the_next_audit"
        ],
    ),
    remove(
        "oversight-followers-by-now",
        "what follows a saga is counted alike before and after the second look",
        "sagas/audit/claims.py",
        "revision + beside.get(pk, 0)",
        "revision",
        f"{_RETURNS}::test_more_than_a_return_says_is_a_fault",
    ),
    remove(
        "oversight-ledger-between-reads",
        "our payment is read before the ledger and after it",
        "payments/reconciling.py",
        "(said for said in _differences(after, entry) if said.rule in before)",
        "_differences(after, entry)",
        "sagas/checkout/tests/test_audit_ledger.py"
        "::test_a_refund_that_comes_between_the_two_reads_is_no_finding",
    ),
    remove(
        "oversight-one-audit",
        "one audit runs at a time",
        "sagas/audit/tasks.py",
        "    if runs.is_running(within=_HARD):\n",
        "    if False:\n",
        "sagas/checkout/tests/test_audit_command.py::test_the_task_runs_one_audit_at_a_time",
    ),
    Mutant(
        name="oversight-approval-is-used-up-first",
        guard="what two operators agreed to is used up before it is carried out",
        changes=[
            Patch(
                "sagas/console/verb_view.py",
                "        approvals.use_up(approval, approved_by=user)\n        word =",
                "        word =",
            ),
            Patch(
                "sagas/console/verb_view.py",
                "    action = verb.act(saga.pk, word)\n    record_outcome(action)\n",
                "    action = verb.act(saga.pk, word)\n"
                "    if approvals.is_needed(verb, saga) and approval:\n"
                "        approvals.use_up(approval, approved_by=user)\n"
                "    record_outcome(action)\n",
            ),
        ],
        tests=[
            "sagas/console/tests/test_verb_pages.py"
            "::test_what_two_operators_agreed_to_is_used_up_although_the_process_dies"
        ],
    ),
    remove(
        "oversight-limit-is-cleared",
        "the time limit of a step does not hit what comes after it",
        _CUTOFF,
        "        signal.setitimer(signal.ITIMER_REAL, 0)\n",
        "        pass\n",
        f"{_CUT}::test_what_comes_after_a_step_is_left_alone",
        f"{_CUT}::test_a_step_that_failed_leaves_no_timer_behind",
    ),
    remove(
        "oversight-limit-in-children-only",
        "no timer is set where its signal would end the process",
        _CUTOFF,
        "if signal.getsignal(signal.SIGALRM) is not _cut_off:",
        "if False:",
        f"{_CUT}::test_outside_of_a_pool_nothing_is_cut_off",
    ),
    remove(
        "oversight-broadcasts-are-not-waited-for",
        "a worker's loop does not wait for a broadcast without end",
        _TRANSPORT,
        "read(block=False, timeout=longest)",
        "read()",
        f"{_TRANSPORT_TEST}::test_half_a_message_is_waited_for_as_long_as_any_answer",
    ),
    remove(
        "oversight-a-hand-free",
        "a worker has a hand free though the broker answers no acknowledgement",
        _TRANSPORT,
        """            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)
""",
        """            super().ack(delivery_tag)
        finally:
            pass
""",
        f"{_TRANSPORT_TEST}::test_an_acknowledgement_that_nobody_answers_leaves_a_hand_free",
    ),
    remove(
        "oversight-a-hand-free-of-what-is-rejected",
        "a worker has a hand free though the broker does not hear what it rejects",
        _TRANSPORT,
        """            super().reject(delivery_tag, requeue=requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)
""",
        """            super().reject(delivery_tag, requeue=requeue)
        finally:
            pass
""",
        f"{_TRANSPORT_TEST}::test_so_does_a_message_that_was_not_dealt_with",
    ),
    remove(
        "oversight-let-go-of",
        "a connection that was lost with messages in hand ends no worker",
        _TRANSPORT,
        "        if self.connection.client is None:\n",
        "        if self.connection is None:\n",
        f"{_TRANSPORT_TEST}"
        "::test_a_connection_that_was_let_go_of_with_a_message_in_hand_ends_no_worker",
    ),
    remove(
        "oversight-half-read-results",
        "a child's result that was half read when the broker was lost is read to its end",
        "config/celery.py",
        "half_read.install()\n",
        "",
        "config/tests/test_half_read.py::test_a_result_is_read_to_its_end_after_the_broker_was_lost",
    ),
    remove(
        "oversight-half-read-by-another",
        "what a child had begun is not taken for its successor's",
        "config/half_read.py",
        "of is child and ",
        "",
        "config/tests/test_half_read.py::test_what_another_child_had_begun_is_not_gone_on_with",
    ),
    remove(
        "oversight-chaos-lock",
        "of the workers that would disturb a saga each holds the plan's row",
        _STAGED,
        "active().select_for_update().filter(pk=disturbance.pk)",
        "active().filter(pk=disturbance.pk)",
        f"{_CHAOS}::test_workers_at_the_same_time_disturb_no_more_sagas_than_planned",
        f"{_CHAOS}::test_workers_that_claim_for_one_saga_count_each_hit_once",
    ),
    remove(
        "oversight-chaos-is-off",
        "nothing goes wrong on purpose where it is not allowed",
        "sagas/executor.py",
        "            if settings.STAGING_CHAOS:\n",
        "            if part:\n",
        f"{_CHAOS}::test_nothing_is_staged_and_nothing_goes_wrong_where_it_is_off",
    ),
    remove(
        "oversight-no-chaos-in-production",
        "a system with shoppers does not start with staged faults allowed",
        "sagas/checks.py",
        "if not settings.STAGING_CHAOS or settings.ENVIRONMENT in _CHAOS_ALLOWED:",
        "if True:",
        f"{_CHAOS}::test_the_check_refuses_it_anywhere_else",
    ),
]
