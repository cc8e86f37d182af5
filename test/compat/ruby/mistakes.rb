# frozen_string_literal: true

require 'stringio'

# What users do wrong, and the exception and text that they are told.
module Mistakes
  ALL = {
    'wrong-password' => :password, 'wrong-vhost' => :vhost, 'wrong-ca' => :authority,
    'plaintext' => :plaintext, 'missing-queue' => :queue, 'missing-exchange' => :exchange,
    'other-arguments' => :arguments, 'acked-twice' => :ack, 'exclusive' => :exclusive
  }.freeze

  module_function

  def password(_)
    url = ENV.fetch('COFFER_AMQP_URL').sub(/:[^:@]*@/, ':wrong@')
    log = StringIO.new
    Client.refused(Bunny::AuthenticationFailureError) do
      Client.connect(url: url, logger: Logger.new(log))
    end
    text = '403 ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. ' \
           'For details see the broker logfile.'
    Client.equal true, log.string.include?(text)
  end

  def vhost(_)
    url = ENV.fetch('COFFER_AMQP_URL').sub('%2f', 'nowhere')
    e = Client.refused(Bunny::NotAllowedError) { Client.connect(url: url) }
    Client.equal 'Connection-level error: NOT_ALLOWED - vhost nowhere not found', e.message
  end

  def authority(_)
    e = Client.refused(OpenSSL::SSL::SSLError) { Client.connect(certs: ENV.fetch('OTHER_CA')) }
    Client.equal true, e.message.include?('certificate verify failed')
  end

  def plaintext(_)
    url = ENV.fetch('COFFER_AMQP_URL').sub('amqps:', 'amqp:')
    Client.refused(AMQ::Protocol::Error) { Client.connect(url: url, tls: false) }
  end

  # One call on a channel of its own, and how the broker ends that channel.
  def ends(connection, kind, text, &wrong)
    channel = connection.create_channel
    e = Client.refused(kind) { wrong.call(channel) }
    Client.equal text, e.message
    connection.create_channel.close # the connection stays
  end

  def queue(connection)
    ends(connection, Bunny::NotFound, "NOT_FOUND - no queue 'nope' in vhost '/'") do |channel|
      channel.queue('nope', passive: true)
    end
  end

  # A publish has no answer: the next call learns what came of it, or finds the
  # channel closed.
  def exchange(connection)
    channel = connection.create_channel
    channel.basic_publish('x', 'nope', 'key')
    e = Client.refused(Bunny::Exception) { channel.temporary_queue }
    Client.equal true, e.message.include?("NOT_FOUND - no exchange 'nope' in vhost '/'")
  end

  def arguments(connection)
    connection.create_channel.queue('mine', durable: true)
    text = "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'mine' in vhost '/': " \
           "received the value '5' of type 'long' but current is none"
    ends(connection, Bunny::PreconditionFailed, text) do |channel|
      channel.queue('mine', durable: true, arguments: { 'x-max-length' => 5 })
    end
  end

  def ack(connection)
    channel = connection.create_channel
    ended = Client::Inbox.new
    channel.on_error { |*error| ended.ready << error }
    channel.basic_ack(7) # has no answer, so there is nobody to raise this to
    close = ended.next('the end of the channel')[1]
    Client.equal 'PRECONDITION_FAILED - unknown delivery tag 7', close.reply_text
  end

  def exclusive(connection)
    connection.create_channel.queue('private', exclusive: true)
    text = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'private' in vhost " \
           "'/'. It could be originally declared on another connection or the exclusive " \
           'property value does not match that of the original declaration.'
    other = Client.connect
    ends(other, Bunny::ResourceLocked, text) { |channel| channel.queue_purge('private') }
    other.close
  end
end
