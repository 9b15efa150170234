# SPDX-License-Identifier: GPL-2.0-or-later
"""children.py - subprocess: pipes, time-outs, signals; until there is ./go"""
import os
import signal
import subprocess
import sys

STEPS = 40
FILTER = '''
import sys
for line in sys.stdin:
    print(line.strip()[::-1], flush=True)
'''
alarms = 0


def alarmed(*_):
    global alarms
    alarms += 1


def step(n):
    a = subprocess.Popen(['seq', '1', str(n % 50 + 10)],
                         stdout=subprocess.PIPE)
    b = subprocess.Popen(['sort', '-rn'], stdin=a.stdout,
                         stdout=subprocess.PIPE, text=True)
    a.stdout.close()
    lines = b.communicate(timeout=3600)[0].split()
    filter_.stdin.write(f'step {n}\n')
    filter_.stdin.flush()
    back = filter_.stdout.readline().strip()
    status = subprocess.run(['sh', '-c', f'exit {n % 7}']).returncode
    sleeper = subprocess.Popen(['sleep', '1000'])
    try:
        sleeper.wait(timeout=0.01)
        print('wrong: it has ended')
    except subprocess.TimeoutExpired:
        sleeper.send_signal(signal.SIGTERM)
    ended = sleeper.wait(timeout=3600)
    before = alarms
    signal.setitimer(signal.ITIMER_REAL, 0.003)
    while alarms == before:
        signal.sigtimedwait([signal.SIGUSR2], 0.02)
    return f'{sum(map(int, lines))} {lines[0]} {back} {status} {ended}'


signal.signal(signal.SIGALRM, alarmed)
filter_ = subprocess.Popen([sys.executable, '-c', FILTER], text=True,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
seen, acc, i = {}, 1, 0
while i < STEPS or not os.path.exists('go'):
    n = i % STEPS
    result = step(n)
    if i < STEPS:
        seen[n] = result
        acc = (acc * 69069 + len(result)) % 2**61
        print(f'{i}: {result}: {acc}', flush=True)
    elif seen[n] != result:
        print(f'wrong: step {n} was {seen[n]}, is {result}', flush=True)
    i += 1
    if alarms != i:
        print(f'wrong: {alarms} alarms in {i} steps', flush=True)
print('end:', acc, filter_.communicate()[0] == '', filter_.returncode)
