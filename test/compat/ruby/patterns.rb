# frozen_string_literal: true

require_relative 'dead_letters'

# What the tutorials do.
module Patterns
  extend DeadLetters

  ALL = {
    'work-queue' => :work, 'publish-subscribe' => :publish_subscribe, 'routing' => :routing,
    'topics' => :topics, 'rpc' => :rpc, 'direct-reply-to' => :direct_reply_to,
    'confirms' => :confirms, 'dead-letters' => :dead_letters, 'delayed-retry' => :delayed_retry
  }.freeze

  module_function

  # Two workers share a durable queue; what one leaves undone the other gets.
  def work(connection)
    out = Client.confirming(connection)
    out.queue('task_queue', durable: true)
    10.times { |n| Client.publish(out, '', 'task_queue', n.to_s) }
    other = Client.connect
    slow = other.create_channel
    slow.prefetch(1)
    held = Client::Inbox.new(slow.queue('task_queue', durable: true), manual_ack: true)
    Client.equal '0', held.next('the first task')[2]
    quick = connection.create_channel
    quick.prefetch(1)
    queue = quick.queue('task_queue', durable: true)
    tasks = Client::Inbox.new(queue, manual_ack: true)
    (1..9).each do |n|
      delivery, _, body = tasks.next("task #{n}")
      Client.equal [n.to_s, false, 0], [body, delivery.redelivered?, tasks.ready.size]
      quick.ack(delivery.delivery_tag)
    end
    other.close
    delivery, properties, body = tasks.next('the task that nobody finished')
    Client.equal ['0', true, 2], [body, delivery.redelivered?, properties.delivery_mode]
    quick.ack(delivery.delivery_tag)
    Client.equal 0, queue.delete.message_count
  end

  # Every subscriber gets every message.
  def publish_subscribe(connection)
    channel = connection.create_channel
    logs = channel.fanout('logs')
    subscribers = Array.new(2) do
      queue = channel.queue('', exclusive: true).bind(logs)
      Client.equal 'amq.gen-', queue.name[0, 8]
      Client::Inbox.new(queue)
    end
    5.times { |n| logs.publish("log #{n}", routing_key: 'ignored') }
    subscribers.each do |subscriber|
      Client.equal (0..4).map { |n| "log #{n}" }, Array.new(5) { subscriber.next('a log')[2] }
    end
  end

  def bound(channel, exchange, *patterns)
    queue = channel.queue('', exclusive: true)
    patterns.each { |pattern| queue.bind(exchange, routing_key: pattern) }
    queue
  end

  def keys(queue)
    found = []
    while (delivery = queue.pop.first)
      found << delivery.routing_key
    end
    found
  end

  def routing(connection)
    channel = Client.confirming(connection)
    exchange = channel.direct('direct_logs')
    errors = bound(channel, exchange, 'error')
    every = bound(channel, exchange, 'info', 'warning', 'error')
    %w[info error debug warning error].each do |key|
      Client.publish(channel, 'direct_logs', key, key)
    end
    Client.equal %w[error error], keys(errors)
    Client.equal %w[info error warning error], keys(every)
  end

  def topics(connection)
    channel = Client.confirming(connection)
    exchange = channel.topic('animals')
    first = bound(channel, exchange, '*.orange.*')
    second = bound(channel, exchange, '*.*.rabbit', 'lazy.#')
    %w[quick.orange.rabbit lazy.orange.elephant quick.orange.fox lazy.brown.fox
       lazy.pink.rabbit orange lazy quick.orange.new.rabbit lazy.orange.new.rabbit].each do |key|
      Client.publish(channel, 'animals', key, key)
    end
    Client.equal %w[quick.orange.rabbit lazy.orange.elephant quick.orange.fox], keys(first)
    Client.equal %w[quick.orange.rabbit lazy.orange.elephant lazy.brown.fox lazy.pink.rabbit lazy
                    lazy.orange.new.rabbit], keys(second)
    returns = Client::Inbox.new
    exchange.on_return { |*returned| returns.ready << returned }
    Client.publish(channel, 'animals', 'quick.brown.fox', 'x', mandatory: true)
    returned, = returns.next('the message that fits nowhere')
    Client.equal [312, 'NO_ROUTE'], [returned.reply_code, returned.reply_text]
  end

  def fib(number)
    number < 2 ? number : fib(number - 1) + fib(number - 2)
  end

  def serve(connection)
    channel = connection.create_channel
    channel.prefetch(1)
    channel.queue('rpc_queue').subscribe(manual_ack: true) do |delivery, properties, body|
      channel.default_exchange.publish(fib(body.to_i).to_s, routing_key: properties.reply_to,
                                                            correlation_id: properties.correlation_id)
      channel.ack(delivery.delivery_tag)
    end
  end

  def call(channel, replies, reply_to)
    { 10 => '55', 20 => '6765', 1 => '1' }.each do |n, want|
      channel.default_exchange.publish(n.to_s, routing_key: 'rpc_queue', reply_to: reply_to,
                                               correlation_id: "call-#{n}")
      _, properties, body = replies.next('a reply')
      Client.equal ["call-#{n}", want], [properties.correlation_id, body]
    end
  end

  def rpc(connection)
    serve(connection)
    channel = connection.create_channel
    queue = channel.queue('', exclusive: true)
    call(channel, Client::Inbox.new(queue), queue.name)
  end

  def direct_reply_to(connection)
    serve(connection)
    channel = connection.create_channel
    name = 'amq.rabbitmq.reply-to'
    replies = Client::Inbox.new
    channel.basic_consume(name, '', true) { |*reply| replies.ready << reply }
    call(channel, replies, name)
  end

  # Confirms one by one, of a batch, and as they come.
  def confirms(connection)
    one = Client.confirming(connection)
    queue = one.queue('confirmed', durable: true)
    Client.publish(one, '', 'confirmed', 'one')
    100.times { one.basic_publish('batch', '', 'confirmed', persistent: true) }
    Client.equal true, Timeout.timeout(Client::LIMIT) { one.wait_for_confirms }
    settled = Client::Inbox.new
    channel = connection.create_channel
    channel.confirm_select(->(*confirmation) { settled.ready << confirmation })
    500.times { channel.basic_publish('as they come', '', 'confirmed', persistent: true) }
    count = last = 0
    while count < 500
      tag, multiple, refused = settled.next('a confirmation')
      Client.equal false, refused
      count += multiple ? tag - last : 1
      last = [tag, last].max
    end
    Client.equal 601, queue.message_count
    queue.purge
    Client.equal 0, queue.message_count
  end
end
