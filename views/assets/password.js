// The Show button of a password field. Without this script the button stays hidden and nothing is missed.
for (const button of document.querySelectorAll('.show-password')) {
  const input = document.getElementById(button.getAttribute('aria-controls'))
  const status = button.nextElementSibling

  const show = (visible) => {
    input.type = visible ? 'text' : 'password'
    button.querySelector('[data-when=visible]').hidden = !visible
    button.querySelector('[data-when=concealed]').hidden = visible
    status.textContent = visible ? button.dataset.visible : button.dataset.concealed
  }

  button.addEventListener('click', () => show(input.type === 'password'))
  // Sent as text, a password would be offered again by the browser's form history.
  input.form.addEventListener('submit', () => show(false))
  button.hidden = false
}
