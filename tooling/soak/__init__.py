"""`make soak`: thousands of checkouts while everything around them breaks, then a reckoning.

plan.py       which fault comes when: dealt from one seed
system.py     what is broken: processes, embedded servers, the proxies in front of them
faults.py     the faults, one class a kind; messages.py meddles with the broker's queues
injector.py   carries the plan out and writes down what it did
orders.py     what shoppers want: drawn from the same seed
shopper.py    one shopper's conversation with the API; load.py is the crowd of them
staff.py      the operator: turns some back past the pivot, retries what waits for a person
ledgers.py    what everybody wrote down; verdict.py compares it
recovering.py how long a kill held a checkout up
report.py     console, JSON and Markdown
main.py       the soak from start to end; negative.py the same with the guards off
"""
