# frozen_string_literal: true

require 'bunny'
require 'logger'
require 'timeout'

# What the patterns share: connections, waits with a limit, a consumer's inbox.
module Client
  LIMIT = 120 # seconds that a wait for what is to come lasts at most

  # What comes, kept until it is asked for.
  class Inbox
    attr_reader :ready, :consumer

    def initialize(queue = nil, **options)
      @ready = Queue.new
      @consumer = queue&.subscribe(**options) do |delivery, properties, body|
        @ready << [delivery, properties, body]
      end
    end

    def next(what)
      Timeout.timeout(LIMIT, nil, "waited #{LIMIT} s for #{what}") { @ready.pop }
    end
  end

  module_function

  # Connects over TLS; only Coffer's own CA is trusted.
  def connect(url: ENV.fetch('COFFER_AMQP_URL'), certs: ENV.fetch('COFFER_CA'), **options)
    connection = Bunny.new(url, verify_peer: true, tls_ca_certificates: [certs],
                                connection_timeout: LIMIT, network_recovery_interval: 0.2,
                                continuation_timeout: LIMIT * 1000, read_timeout: LIMIT,
                                logger: Logger.new(File::NULL), **options)
    connection.start
  end

  def confirming(connection)
    channel = connection.create_channel
    channel.confirm_select
    channel
  end

  # Publishes on a confirm channel; false when the broker refuses the message.
  def confirmed(channel, exchange, key, body, **options)
    channel.basic_publish(body, exchange, key, persistent: true, **options)
    Timeout.timeout(LIMIT) { channel.wait_for_confirms }
  end

  def publish(channel, exchange, key, body, **options)
    equal true, confirmed(channel, exchange, key, body, **options)
  end

  def equal(want, got)
    raise "got #{got.inspect}, want #{want.inspect}" unless want == got
  end

  def refused(kind)
    yield
  rescue kind => e
    e
  else
    raise "was not refused, want #{kind}"
  end
end
