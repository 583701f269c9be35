// New letters appear in the development mailbox without a reload. Without this script a reload shows them.
const EVERY_MS = 1500
const table = document.getElementById('letters')
const news = document.getElementById('news')

const cell = (...content) => {
  const made = document.createElement('td')
  made.append(...content)
  return made
}

const isolated = (text) => {
  const made = document.createElement('bdi')
  made.textContent = text
  return made
}

const row = ({ id, subject, to, at }) => {
  const link = document.createElement('a')
  link.href = `/dev/mailbox/${id}`
  link.append(isolated(subject))
  const made = document.createElement('tr')
  made.append(cell(link), cell(isolated(to)), cell(at.slice(0, 19).replace('T', ' ')))
  return made
}

const look = async () => {
  const answer = await fetch('/dev/mailbox.json')
  const letters = answer.ok ? await answer.json() : []
  const fresh = letters.filter(({ id }) => id > table.dataset.newest)
  if (fresh.length === 0) return
  table.tBodies[0].prepend(...fresh.map(row))
  table.dataset.newest = fresh[0].id
  news.textContent = fresh[0].subject
}

// A server that is being restarted is asked again.
setInterval(() => look().catch(() => {}), EVERY_MS)
