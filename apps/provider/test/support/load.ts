// People at work: each asks again and again, half of them on a connection they keep, half on a new one each time.
import { Agent, request } from 'node:http'

export type Load = {
  /** Answers with status 200 so far. */
  answered(): number
  /** What went wrong, in words; an empty list when every single request was answered. */
  failures: string[]
  stop(): Promise<void>
}

/** `urls` are asked in turn. */
export function startLoad(urls: string[], people = 8): Load {
  const failures: string[] = []
  let answered = 0
  let isOver = false
  const work = async (index: number) => {
    const agent = new Agent({ keepAlive: index % 2 === 0, maxSockets: 1 })
    for (let turn = index; !isOver; turn++) {
      const url = urls[turn % urls.length]!
      const outcome = await get(url, agent).catch(
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      )
      if (outcome === 200) answered++
      else failures.push(`${url}: ${outcome}`)
    }
    agent.destroy()
  }
  const everybody = Promise.all(Array.from({ length: people }, (_, index) => work(index)))
  return {
    answered: () => answered,
    failures,
    async stop() {
      isOver = true
      await everybody
    },
  }
}

function get(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent }, (response) => {
      response.on('error', reject)
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.resume()
    })
    sent.on('error', reject)
    sent.end()
  })
}
