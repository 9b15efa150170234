# SPDX-License-Identifier: GPL-2.0-or-later
"""tasks.py - asyncio: timers, streams, TCP and UNIX servers, executors,
processes and signals; until there is ./go"""
import asyncio
import hashlib
import os
import signal
import threading

STEPS = 40
signals = 0


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.strip()[::-1] + b'\n')
        await writer.drain()
    writer.close()


def work(n, k):
    data = b'%d/%d' % (n, k)
    for _ in range(100):
        data = hashlib.sha256(data).digest() * 40
    return data.hex()[:12]


async def ask(stream, text):
    reader, writer = stream
    writer.write(text.encode() + b'\n')
    return (await asyncio.wait_for(reader.readline(), 3600)).decode().strip()


async def step(n, tcp, unix):
    loop = asyncio.get_running_loop()
    sleeps = [asyncio.sleep(0.001 * (k % 3), k) for k in range(20)]
    jobs = [loop.run_in_executor(None, work, n, k) for k in range(4)]
    proc = await asyncio.create_subprocess_exec(
        'cat', stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    a, b, slept, hashes, (out, _) = await asyncio.gather(
        ask(tcp, f'tcp {n}'), ask(unix, f'unix {n}'),
        asyncio.gather(*sleeps), asyncio.gather(*jobs),
        proc.communicate(b'x' * (n * 1000)))
    os.kill(os.getpid(), signal.SIGUSR1)
    return f'{a} {b} {sum(slept)} {hashes[0]} {hashes[3]} {len(out)} ' \
        f'{proc.returncode}'


def signalled():
    global signals
    signals += 1


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, signalled)
    a = await asyncio.start_server(serve, '127.0.0.1', 0)
    b = await asyncio.start_unix_server(serve, 'socket')
    tcp = await asyncio.open_connection(*a.sockets[0].getsockname())
    unix = await asyncio.open_unix_connection('socket')
    seen, acc, i = {}, 1, 0
    while i < STEPS or not os.path.exists('go'):
        n = i % STEPS
        result = await asyncio.wait_for(step(n, tcp, unix), 3600)
        if i < STEPS:
            seen[n] = result
            acc = (acc * 69069 + len(result)) % 2**61
            print(f'{i}: {result}: {acc}', flush=True)
        elif seen[n] != result:
            print(f'wrong: {n}: {seen[n]}, {result}', flush=True)
        i += 1
    while signals < i:
        await asyncio.sleep(0.01)
    tcp[1].close()
    unix[1].close()
    print('end:', acc, signals - i)


asyncio.run(main())
