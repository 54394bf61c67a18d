"""Signed requests to the shop's own systems, one for each event that they want.

Source of the form: the Standard Webhooks specification 1.0, https://www.standardwebhooks.com.
"""
