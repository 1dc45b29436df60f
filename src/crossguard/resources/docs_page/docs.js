'use strict';

for (const form of document.querySelectorAll('form[data-path]')) {
  form.addEventListener('submit', async event => {
    event.preventDefault();
    const output = form.querySelector('output'), body = form.querySelector('textarea');
    const key = document.getElementById('key').value;
    const headers = {...(key && {'x-api-key': key}), ...(body && {'content-type': 'application/json'})};
    output.textContent = '...';
    try {
      const answer = await fetch(form.dataset.path, {method: form.dataset.method, headers, body: body?.value});
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
      output.textContent = `${answer.status} ${answer.statusText}\n${shown}`;
    } catch (error) {
      output.textContent = String(error);
    }
  });
}
