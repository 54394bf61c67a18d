"""What the database itself refuses: a changed history, a falling epoch, a revived saga."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION sagas_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER sagas_steprun_append_only BEFORE UPDATE OR DELETE ON sagas_steprun
    FOR EACH ROW EXECUTE FUNCTION sagas_refuse_change();
CREATE TRIGGER sagas_operatoraction_append_only BEFORE UPDATE OR DELETE ON sagas_operatoraction
    FOR EACH ROW EXECUTE FUNCTION sagas_refuse_change();
"""

APPEND_ONLY_UNDONE = """
DROP TRIGGER sagas_operatoraction_append_only ON sagas_operatoraction;
DROP TRIGGER sagas_steprun_append_only ON sagas_steprun;
DROP FUNCTION sagas_refuse_change();
"""

FORWARD_ONLY = """
CREATE FUNCTION sagas_forward_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch < OLD.epoch OR NEW.revision <= OLD.revision THEN
        RAISE EXCEPTION 'an epoch never falls, a revision always rises'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.state = 'COMPENSATED' AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'COMPENSATED is final' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sagas_saga_forward_only BEFORE UPDATE ON sagas_saga
    FOR EACH ROW EXECUTE FUNCTION sagas_forward_only();
"""

FORWARD_ONLY_UNDONE = """
DROP TRIGGER sagas_saga_forward_only ON sagas_saga;
DROP FUNCTION sagas_forward_only();
"""


class Migration(migrations.Migration):
    dependencies = [("sagas", "0001_initial")]

    operations = [
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_UNDONE),
        migrations.RunSQL(FORWARD_ONLY, FORWARD_ONLY_UNDONE),
    ]
