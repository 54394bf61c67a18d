"""Pages of other apps' models in the admin, once more, so that they have the console's theme."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as _GroupAdmin
from django.contrib.auth.admin import UserAdmin as _UserAdmin
from django.contrib.auth.models import Group, User
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from rest_framework.authtoken.admin import TokenAdmin as _TokenAdmin
from rest_framework.authtoken.models import TokenProxy
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

for _model in (
    User,
    Group,
    TokenProxy,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    SolarSchedule,
    ClockedSchedule,
):
    admin.site.unregister(_model)


@admin.register(User)
class UserAdmin(_UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    compressed_fields = False  # two lists of permissions need the width of the page
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(_GroupAdmin, ModelAdmin):
    compressed_fields = False


@admin.register(TokenProxy)
class TokenAdmin(_TokenAdmin, ModelAdmin):
    pass


class _TaskChoice(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    pass


class _TaskForm(beat.PeriodicTaskForm):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = _TaskChoice()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, ModelAdmin):
    form = _TaskForm
    #: Its own has an inline script, which the policy forbids.
    change_form_template = None


class _Tasks(beat.PeriodicTaskInline, TabularInline):
    pass


class _ScheduleAdmin(ModelAdmin):
    inlines = (_Tasks,)


@admin.register(IntervalSchedule)
class IntervalAdmin(_ScheduleAdmin):
    pass


@admin.register(CrontabSchedule)
class CrontabAdmin(_ScheduleAdmin):
    list_display = beat.CrontabScheduleAdmin.list_display
    fields = beat.CrontabScheduleAdmin.fields
    readonly_fields = beat.CrontabScheduleAdmin.readonly_fields


@admin.register(SolarSchedule)
class SolarAdmin(_ScheduleAdmin):
    pass


@admin.register(ClockedSchedule)
class ClockedAdmin(_ScheduleAdmin):
    list_display = fields = beat.ClockedScheduleAdmin.fields
