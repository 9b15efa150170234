# SPDX-License-Identifier: GPL-2.0-or-later
# steps.rb - threads, fibres, forks, pipes, time-outs; until there is ./go
require 'digest'
require 'open3'
require 'socket'
require 'timeout'

$stdout.sync = true
STEPS = 40
todo = SizedQueue.new(4)
done = Queue.new
workers = Array.new(3) do
  Thread.new do
    while (item = todo.pop)
      n, k = item
      data = "#{n}/#{k}"
      100.times { data = Digest::SHA256.digest(data) * 10 }
      done << [k, data.unpack1('H12')]
    end
  end
end
server = UNIXServer.new('socket')
answerer = Thread.new do
  peer = server.accept
  while (line = peer.gets)
    peer.puts line.chomp.reverse
  end
end
client = UNIXSocket.new('socket')
usr1 = 0
trap('USR1') { usr1 += 1 }
fibre = Fiber.new { n = 0; loop { n += Fiber.yield(n) } }
fibre.resume

seen = {}
acc = 1
i = 0
while i < STEPS || !File.exist?('go')
  n = i % STEPS
  5.times { |k| todo << [n, k] }
  parts = Array.new(5) { done.pop }.sort.map(&:last)
  client.puts "step #{n}"
  back = client.gets.chomp
  out, status = Open3.capture2('sort -rn', stdin_data: (1..n + 5).to_a.join("\n"))
  pid = fork { exit! n % 7 }
  Process.wait pid
  code = $?.exitstatus
  begin
    Timeout.timeout(0.005) { sleep 100 }
    puts 'wrong: slept'
  rescue Timeout::Error
    code += 1
  end
  Process.kill('USR1', Process.pid)
  fibre.resume(1)
  result = "#{parts.first} #{parts.last} #{back} #{out.lines.first.to_i} " \
    "#{status.exitstatus} #{code}"
  if i < STEPS
    seen[n] = result
    acc = (acc * 69069 + result.sum) % 2**61
    puts "#{i}: #{result}: #{acc}"
  elsif seen[n] != result
    puts "wrong: #{n}: #{seen[n]}, #{result}"
  end
  i += 1
end
sleep 0.01 until usr1 == i
workers.each { todo << nil }
workers.each(&:join)
client.close
answerer.join
puts "end: #{acc} #{fibre.resume(0) - i}"
