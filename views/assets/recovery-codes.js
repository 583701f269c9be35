// Download, Copy and Print of the recovery codes. Without this script the buttons stay hidden; the codes can be selected.
const actions = document.getElementById('recovery-codes-actions')
const status = actions.querySelector('[role=status]')
const { title, file } = actions.dataset
const codes = Array.from(document.querySelectorAll('#recovery-codes code'), (code) => code.textContent)
const text = [title, '', ...codes, ''].join('\n')

function download() {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  link.download = file
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

async function copy() {
  await navigator.clipboard.writeText(codes.join('\n'))
  status.textContent = 'Copied. What you copy elsewhere takes its place.'
}

const acts = { download, copy, print: () => window.print() }

// Pages that did not come over TLS have no clipboard.
if (!navigator.clipboard) actions.querySelector('[data-act=copy]').remove()

for (const button of actions.querySelectorAll('button')) {
  button.addEventListener('click', acts[button.dataset.act])
}
actions.hidden = false
