# frozen_string_literal: true

# The broker is killed and started again; the client connects again by itself
# and sets up its channels, queues, bindings and consumers.
module Recovery
  ALL = { 'recovery' => :recovery }.freeze

  module_function

  def recovery(connection)
    recovered = Client::Inbox.new
    connection.after_recovery_completed { recovered.ready << :recovered }
    out = Client.confirming(connection)
    into = connection.create_channel
    news = Client::Inbox.new(into.queue('', exclusive: true).bind(into.fanout('news')))
    queue = into.queue('kept', durable: true)
    10.times { |n| Client.publish(out, '', 'kept', n.to_s) }
    into.prefetch(1)
    kept = Client::Inbox.new(queue, manual_ack: true)
    Client.equal '0', kept.next('the first message')[2]
    puts 'restart'
    $stdin.gets
    recovered.next('the connection')
    drain(out, into, kept)
    Client.equal 0, queue.delete.message_count
    Client.publish(out, 'news', '', 'again')
    Client.equal 'again', news.next('the news')[2]
  end

  # What was confirmed is there in its order, what was in a hand is redelivered.
  def drain(out, into, kept)
    Client.publish(out, '', 'kept', '10')
    (0..10).each do |n|
      delivery, _, body = kept.next("message #{n}")
      Client.equal [n.to_s, n.zero?], [body, delivery.redelivered?]
      into.ack(delivery.delivery_tag)
    end
  end
end
