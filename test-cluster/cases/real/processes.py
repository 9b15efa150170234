# SPDX-License-Identifier: GPL-2.0-or-later
"""processes.py - multiprocessing: pool, queue, shared memory; until ./go"""
import hashlib
import multiprocessing as mp
import os

STEPS = 40


def digest(args):
    n, k = args
    data = b'%d/%d' % (n, k)
    for _ in range(200):
        data = hashlib.sha256(data).digest() * 40
    with total.get_lock():
        total.value += 1
    return data.hex()[:12]


def share(value):
    global total
    total = value


def server(inbox, outbox, array):
    while (n := inbox.get()) is not None:
        with array.get_lock():
            array[n % 16] += n
        outbox.send((n, n * n))


def main():
    total = mp.Value('q', 0)
    array = mp.Array('q', 16)
    inbox = mp.Queue()
    mine, its = mp.Pipe()
    other = mp.Process(target=server, args=(inbox, its, array))
    other.start()
    seen, acc, i = {}, 1, 0
    with mp.Pool(3, share, (total,)) as pool:
        while i < STEPS or not os.path.exists('go'):
            n = i % STEPS
            inbox.put(n)
            result = pool.map(digest, [(n, k) for k in range(6)])
            if mine.recv() != (n, n * n):
                print('wrong: not the square of', n, flush=True)
            if i < STEPS:
                seen[n] = result
                acc = (acc * 69069 + int(result[0], 16)) % 2**61
                print(f'{i}: {result}: {acc} {sum(array)}', flush=True)
            elif seen[n] != result:
                print(f'wrong: {n}: {seen[n]}, {result}', flush=True)
            i += 1
            if total.value != 6 * i:
                print(f'wrong: {total.value} in {i} steps', flush=True)
        pool.close()
        pool.join()
    inbox.put(None)
    other.join()
    print('end:', acc, other.exitcode)


if __name__ == '__main__':
    main()
