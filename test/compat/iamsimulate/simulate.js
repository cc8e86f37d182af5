// Reads simulations, one JSON object a line, and answers each with a line:
// {result, ignored} or {error}. Started by the Go test in this folder.
'use strict'
const readline = require('node:readline')
const { runSimulation, anonymousPrincipal } = require('@cloud-copilot/iam-simulate')

async function answer (line) {
  const simulation = JSON.parse(line)
  if (simulation.request.principal === 'anonymous') {
    simulation.request.principal = anonymousPrincipal
  }
  const response = await runSimulation(simulation, {})
  if (response.resultType === 'error') {
    return { error: JSON.stringify(response.errors) }
  }
  return { result: response.overallResult, ignored: response.result.ignoredContextKeys }
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let out
    try {
      out = await answer(line)
    } catch (err) {
      out = { error: String(err) }
    }
    process.stdout.write(JSON.stringify(out) + '\n')
  }
}

main()
