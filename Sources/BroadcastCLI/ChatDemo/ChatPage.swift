/// The page of the chat: hand-written, whole, with nothing from outside.
enum ChatPage {
    static let html = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Chat</title>
        <link rel="icon" href="data:,">
        <style>\(style)</style>
        <header>
          <h1>Room <span id="room"></span></h1>
          <p id="state" role="status" data-state="connecting">connecting…</p>
        </header>
        <main id="log" role="log" aria-live="polite" aria-label="Messages" tabindex="0"></main>
        <form id="form" autocomplete="off">
          <label>Name <input id="name" maxlength="40" required></label>
          <label class="wide">Message <input id="text" maxlength="4000" required autofocus></label>
          <button>Send</button>
        </form>
        <nav>
          <form id="go"><label>Other room <input id="other" maxlength="100" required></label>
          <button>Go</button></form>
        </nav>
        <script>\(script)</script>
        </html>
        """

    private static let style = """
        :root { color-scheme: light dark; --line: #8884; --quiet: #666; --good: #1a7f37; --bad: #b3261e; }
        @media (prefers-color-scheme: dark) { :root { --quiet: #aaa; --good: #56d364; --bad: #ff8a80; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 46rem; height: 100dvh; display: flex; flex-direction: column;
               padding: .75rem; gap: .5rem; font: 1rem/1.45 system-ui, sans-serif; }
        header { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; align-items: baseline;
                 border-bottom: 1px solid var(--line); }
        h1 { font-size: 1.2rem; margin: .2rem 0; overflow-wrap: anywhere; }
        p { margin: .2rem 0; }
        #state::before { content: "● "; color: var(--quiet); }
        #state[data-state=ready]::before { color: var(--good); }
        #state[data-state=down]::before { color: var(--bad); }
        #log { flex: 1; overflow-y: auto; min-height: 6rem; }
        #log p { overflow-wrap: anywhere; white-space: pre-wrap; }
        #log time { color: var(--quiet); font-size: .8rem; margin-right: .5rem; font-variant-numeric: tabular-nums; }
        #log .notice { color: var(--quiet); font-style: italic; }
        #log .gap { color: var(--bad); border-block: 1px dashed currentColor; padding: .1rem 0; text-align: center; }
        form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; }
        label { display: flex; flex-direction: column; font-size: .8rem; color: var(--quiet); }
        label.wide { flex: 1; min-width: 8rem; }
        input, button { font: 1rem/1.45 system-ui, sans-serif; padding: .4rem .5rem; border: 1px solid #8889; border-radius: .3rem; min-height: 2.6rem; }
        input { width: 100%; }
        #name { width: 7rem; }
        #other { width: 12rem; }
        button { cursor: pointer; padding-inline: 1rem; }
        :focus-visible { outline: 2px solid #4493f8; outline-offset: 1px; }
        nav { border-top: 1px solid var(--line); padding-top: .5rem; }
        """

    private static let script = """
        'use strict';
        const $ = id => document.getElementById(id);
        const path = location.pathname.split('/');
        const room = path[1] === 'room' && path[2] ? decodeURIComponent(path.slice(2).join('/')) : 'chatroom';
        // The place of the last message, where the server keeps them: a page that was cut off goes on there.
        let socket, wait = 250, wasReady = false, position;
        $('room').textContent = room;
        document.title = room + ' – chat';
        $('name').value = sessionStorage.name || 'guest ' + Math.floor(Math.random() * 1000);

        // Inserts everything as text: nothing that a person writes becomes a part of the page.
        function show(kind, text, time, name) {
          const atEnd = $('log').scrollHeight - $('log').scrollTop - $('log').clientHeight < 40;
          const line = document.createElement('p');
          line.className = kind;
          const clock = document.createElement('time');
          const date = new Date(Number.isFinite(time) ? time : Date.now());
          clock.dateTime = date.toISOString();
          clock.textContent = date.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
          line.append(clock);
          if (name) {
            const who = document.createElement('b');
            who.textContent = name;
            line.append(who, ': ');
          }
          line.append(text);
          $('log').append(line);
          while ($('log').childElementCount > 1000) $('log').firstElementChild.remove();
          if (atEnd) $('log').scrollTop = $('log').scrollHeight;
        }

        function state(name, text) {
          $('state').dataset.state = name;
          $('state').textContent = text;
        }

        // Shows a published message: one of the chat, or any text that another program publishes.
        function message(text) {
          let it;
          try { it = JSON.parse(text); } catch { }
          if (it?.type === 'message' && typeof it.text === 'string')
            show('message', it.text, it.time, String(it.name ?? 'somebody').slice(0, 40));
          else if (it?.type === 'joined') show('notice', it.name + ' is here', it.time);
          else if (it?.type === 'left') show('notice', it.name + ' has gone', it.time);
          else show('message', text);
        }

        function gap(it) {
          const why = it.reason === 'overflow' ? 'too fast for this page: ' + it.lost + ' messages are missing'
            : it.reason === 'reconnected' ? 'the server was cut off for ' + it.seconds + ' s: messages may be missing'
            : it.reason === 'trimmed' ? (it.lost ?? 'some') + ' messages are gone: the server keeps no more'
            : it.reason === 'reset' ? 'the server has begun anew: messages may be missing'
            : 'this page was cut off: messages may be missing';
          show('gap', why);
        }

        function connect() {
          const url = (location.protocol === 'https:' ? 'wss://' : 'ws://') + location.host
            + '/ws/' + encodeURIComponent(room) + '?name=' + encodeURIComponent($('name').value)
            + (position ? '&after=' + encodeURIComponent(position) : '');
          socket = new WebSocket(url);
          socket.onopen = () => {
            state('ready', 'connected');
            if (wasReady && !position) gap({reason: 'away'});
            wasReady = true;
            wait = 250;
          };
          socket.onmessage = event => {
            const it = JSON.parse(event.data);
            if (it.position) position = it.position;
            if (it.type === 'message') message(it.text ?? '(' + it.base64.length + ' bytes that are not text)');
            else if (it.type === 'gap') gap(it);
            else if (it.type === 'start') return;
            else if (it.type === 'failed') show('gap', 'not sent: ' + it.message);
            else if (it.status === 'down') state('down', 'the server has lost its connection');
            else if (it.status === 'ready') state('ready', 'connected');
          };
          socket.onclose = event => {
            state('down', 'not connected' + (event.reason ? ' (' + event.reason + ')' : '') + ', trying again');
            setTimeout(connect, wait * (0.5 + Math.random() / 2));
            wait = Math.min(wait * 2, 5000);
          };
        }

        $('form').onsubmit = event => {
          event.preventDefault();
          const text = $('text').value;
          if (!text.trim() || socket.readyState !== WebSocket.OPEN) return;
          sessionStorage.name = $('name').value;
          socket.send(JSON.stringify({type: 'message', name: $('name').value, text, time: Date.now()}));
          $('text').value = '';
        };
        $('go').onsubmit = event => {
          event.preventDefault();
          location.href = '/room/' + encodeURIComponent($('other').value);
        };
        connect();
        """
}
