"""Choreography: domains tell what happened by an outbox, and hear of it by an inbox.

A library that domains import, like ``sagas.participant``; it knows neither domains nor sagas.
"""
