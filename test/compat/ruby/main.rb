# frozen_string_literal: true

# Bunny against a Coffer that runs: ruby main.rb patterns|mistakes|recovery. Each line
# `ok NAME` is one part that held; the first that does not ends the program.

require_relative 'client'

$stdout.sync = true
Thread.abort_on_exception = true # what a consumer's thread finds wrong, too

mode = ARGV.fetch(0)
require_relative mode
parts = Object.const_get(mode.capitalize)
parts::ALL.each do |name, part|
  connection = Client.connect(automatically_recover: mode == 'recovery')
  parts.public_send(part, connection)
  connection.close
  puts "ok #{name}"
end
