"""What people did stays written: the database refuses to change or delete it."""

from django.db import migrations

APPEND_ONLY = """
CREATE TRIGGER sagas_actionoutcome_append_only BEFORE UPDATE OR DELETE ON sagas_actionoutcome
    FOR EACH ROW EXECUTE FUNCTION sagas_refuse_change();
CREATE TRIGGER sagas_switchlog_append_only BEFORE UPDATE OR DELETE ON sagas_switchlog
    FOR EACH ROW EXECUTE FUNCTION sagas_refuse_change();
"""

UNDONE = """
DROP TRIGGER sagas_switchlog_append_only ON sagas_switchlog;
DROP TRIGGER sagas_actionoutcome_append_only ON sagas_actionoutcome;
"""


class Migration(migrations.Migration):
    dependencies = [("sagas", "0004_console")]

    operations = [migrations.RunSQL(APPEND_ONLY, UNDONE)]
