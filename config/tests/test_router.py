"""One database an app; no relation, no table and no query crosses."""

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connections, models

from config.routers import DATABASE_OF_APP, AppRouter, database_of

router = AppRouter()
MODELS = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def names(model: type[models.Model]) -> str:
    return model._meta.label


def test_each_domain_owns_a_database_of_its_own() -> None:
    assert set(DATABASE_OF_APP.values()) | {"default"} == set(settings.DATABASES)
    assert len(set(DATABASE_OF_APP.values())) == len(DATABASE_OF_APP)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_a_model_is_read_and_written_where_its_app_lives(model: type[models.Model]) -> None:
    home = database_of(model._meta.app_label)
    assert router.db_for_read(model) == router.db_for_write(model) == home


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_no_foreign_key_leaves_its_database(model: type[models.Model]) -> None:
    home = database_of(model._meta.app_label)
    for field in model._meta.get_fields():
        related = field.related_model if field.is_relation else None
        if isinstance(related, type):
            assert database_of(related._meta.app_label) == home, field


def test_a_relation_across_databases_is_refused_and_one_within_is_not() -> None:
    order, line = apps.get_model("orders", "Order"), apps.get_model("orders", "OrderLine")
    message = apps.get_model("notifications", "Message")
    assert router.allow_relation(order(), line())
    assert not router.allow_relation(order(), message())


@pytest.mark.parametrize("app", sorted(apps.app_configs))
def test_an_app_migrates_in_its_own_database_only(app: str) -> None:
    allowed = {alias for alias in settings.DATABASES if router.allow_migrate(alias, app)}
    assert allowed == {database_of(app)}


def test_an_app_that_is_not_installed_migrates_in_the_control_plane_only() -> None:
    allowed = {alias for alias in settings.DATABASES if router.allow_migrate(alias, "gone")}
    assert allowed == {"default"}


@pytest.mark.django_db(databases=list(settings.DATABASES))
@pytest.mark.parametrize("alias", sorted(settings.DATABASES))
def test_a_migrated_database_holds_the_tables_of_its_own_apps_and_no_others(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        tables = set(connections[alias].introspection.table_names(cursor))
    own = {model._meta.db_table for model in MODELS if database_of(model._meta.app_label) == alias}
    assert tables == own | {"django_migrations"}
