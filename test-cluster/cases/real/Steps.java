// SPDX-License-Identifier: GPL-2.0-or-later
// Steps.java - threads, compiled and collected code; until there is ./go
import java.io.File;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.RecursiveTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

public class Steps {
	static final int STEPS = 60;
	static final ArrayBlockingQueue<Integer> todo =
		new ArrayBlockingQueue<>(4);
	static final Object lock = new Object();
	static long consumed;

	static class Sum extends RecursiveTask<Long> {
		final long[] a;
		final int from, to;

		Sum(long[] a, int from, int to) {
			this.a = a;
			this.from = from;
			this.to = to;
		}

		@Override
		protected Long compute() {
			if (to - from < 1000) {
				long s = 0;
				for (int i = from; i < to; i++)
					s += a[i] * a[i] % 1000003;
				return s;
			}
			Sum left = new Sum(a, from, (from + to) / 2);
			Sum right = new Sum(a, (from + to) / 2, to);
			left.fork();
			return right.compute() + left.join();
		}
	}

	static String step(int n) throws Exception {
		long[] a = LongStream.range(0, 20000).map(
			i -> (i * 1103515245L + n) % 65537).toArray();
		long sum = ForkJoinPool.commonPool().invoke(
			new Sum(a, 0, a.length));
		ConcurrentHashMap<Integer, Integer> map =
			new ConcurrentHashMap<>();
		IntStream.range(0, 5000).parallel().forEach(
			i -> map.merge(i * (n + 1) % 97, 1, Integer::sum));
		long shape = 0;
		// in order: that of the map depends on who came first
		for (Map.Entry<Integer, Integer> e :
		     new TreeMap<>(map).entrySet())
			shape = shape * 31 + e.getKey() * e.getValue();
		Arrays.sort(a);
		String text = "";
		for (int i = 0; i < 200; i++) // for the collector
			text += a[i * 7] % 10;
		for (int k = 0; k < 5; k++)
			todo.put(n + k);
		Thread.sleep(1);
		return sum + " " + shape + " " + text.hashCode();
	}

	static void consume() {
		try {
			for (int n; (n = todo.take()) >= 0; )
				synchronized (lock) {
					consumed += n;
					lock.notifyAll();
				}
		} catch (InterruptedException e) {
			System.out.println("wrong: " + e);
		}
	}

	public static void main(String[] args) throws Exception {
		Map<Integer, String> seen = new HashMap<>();
		Thread consumer = new Thread(Steps::consume);
		long acc = 1, put = 0;
		File go = new File("go");

		consumer.start();
		for (int i = 0; i < STEPS || !go.exists(); i++) {
			int n = i % STEPS;
			String result = step(n);
			put += 5 * n + 10;
			synchronized (lock) {
				while (consumed < put)
					lock.wait();
				if (consumed != put)
					System.out.println("wrong: put " + put +
						", consumed " + consumed);
			}
			if (i < STEPS) {
				seen.put(n, result);
				acc = acc * 69069 + result.hashCode();
				System.out.println(i + ": " + result + ": " + acc);
			} else if (!seen.get(n).equals(result)) {
				System.out.println("wrong: " + n + ": " +
					seen.get(n) + ", " + result);
			}
		}
		todo.put(-1);
		consumer.join();
		System.out.println("end: " + acc);
	}
}
