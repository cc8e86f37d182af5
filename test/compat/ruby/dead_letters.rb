# frozen_string_literal: true

# What cannot be worked on goes elsewhere, with its history.
module DeadLetters
  LETTERS = { 'x-dead-letter-exchange' => 'dlx', 'x-dead-letter-routing-key' => 'gone' }.freeze

  def dead_letters(connection)
    channel = Client.confirming(connection)
    dead = channel.queue('dead', durable: true)
    dead.bind(channel.direct('dlx', durable: true), routing_key: 'gone')
    inbox = Client::Inbox.new(dead)
    channel.queue('rejecting', durable: true, arguments: LETTERS)
    channel.queue('short', durable: true, arguments: LETTERS.merge('x-max-length' => 1))
    worker = connection.create_channel
    Client.publish(channel, '', 'rejecting', 'bad')
    jobs = Client::Inbox.new(worker.queue('rejecting', durable: true, arguments: LETTERS),
                             manual_ack: true)
    worker.reject(jobs.next('the bad one')[0].delivery_tag)
    died(inbox, 'bad', 'rejecting', 'rejected')
    worker.close
    Client.publish(channel, '', 'rejecting', 'old', expiration: '1')
    expired = died(inbox, 'old', 'rejecting', 'expired')
    Client.equal '1', expired.headers['x-death'][0]['original-expiration']
    Client.equal nil, expired.expiration
    %w[first second].each { |body| Client.publish(channel, '', 'short', body) }
    died(inbox, 'first', 'short', 'maxlen')
  end

  def died(inbox, body, queue, reason)
    delivery, properties, got = inbox.next("a message that was #{reason}")
    Client.equal [body, 'dlx', 'gone'], [got, delivery.exchange, delivery.routing_key]
    headers = properties.headers
    Client.equal 1, headers['x-death'].size
    death = headers['x-death'][0]
    Client.equal Time, death['time'].class
    Client.equal [queue, reason, 1, '', [queue]],
                 death.values_at('queue', 'reason', 'count', 'exchange', 'routing-keys')
    Client.equal [queue, reason, ''], headers.values_at(
      'x-first-death-queue', 'x-first-death-reason', 'x-first-death-exchange'
    )
    properties
  end

  # What fails waits in a second queue and comes back.
  def delayed_retry(connection)
    channel = Client.confirming(connection)
    channel.direct('work', durable: true)
    channel.direct('retry', durable: true)
    jobs = channel.queue('jobs', durable: true,
                                 arguments: { 'x-dead-letter-exchange' => 'retry' })
    wait = channel.queue('jobs.wait', durable: true, arguments: {
                           'x-message-ttl' => 20, 'x-dead-letter-exchange' => 'work'
                         })
    jobs.bind('work', routing_key: 'job')
    wait.bind('retry', routing_key: 'job')
    Client.publish(channel, 'work', 'job', 'payload')
    inbox = Client::Inbox.new(jobs, manual_ack: true)
    (0..3).each { |tries| try(channel, inbox, tries) }
    Client.equal [0, 0], [jobs.delete.message_count, wait.delete.message_count]
  end

  def try(channel, inbox, tries)
    delivery, properties, body = inbox.next("try #{tries}")
    Client.equal 'payload', body
    deaths = ((properties.headers || {})['x-death'] || []).map do |d|
      d.values_at('queue', 'reason', 'count', 'exchange')
    end
    want = [['jobs.wait', 'expired', tries, 'retry'], ['jobs', 'rejected', tries, 'work']]
    Client.equal tries.zero? ? [] : want, deaths
    tries == 3 ? channel.ack(delivery.delivery_tag) : channel.nack(delivery.delivery_tag)
  end
end
