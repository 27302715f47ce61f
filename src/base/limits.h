/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limits.h - every cap that a peer can push against, in one place.
 *
 * A peer is anybody who is not this program: a VMM, an orchestrator, a viewer, a driver. What it can make us allocate,
 * queue, wait for or log is bounded here, and each number says why it is what it is.
 */
#pragma once

/* Names. An id is used as a file name (Unix RFB socket) and in the journal. */
#define LIMIT_ID_CHARS    64  /* [A-Za-z0-9._-]{1,64}, not "." or ".." */
#define LIMIT_LABEL_CHARS 128 /* who is looking: shown in ListViewers and the journal */
#define LIMIT_NAME_CHARS  128 /* desktop name that viewers see in their title bar */
#define LIMIT_LABELS      32  /* key/value pairs of one display's context */
#define LIMIT_LABEL_BYTES 2048 /* all keys and values of one display: List must fit the queue of its caller */

#define LIMIT_USER_CHARS   64  /* user name of a viewer that logs in */
#define LIMIT_SECRET_CHARS 128 /* its password, or a ticket */

/* Displays. */
#define LIMIT_DISPLAYS      1024 /* a host has some 100; each costs a thread's stack */
#define LIMIT_GLANCES       16   /* displays that nobody watches and that one List of all makes look: each is a wake-up and a question to a driver */
#define LIMIT_WIDTH         8192 /* pixels; GVT's PIPESRC field ends here */
#define LIMIT_HEIGHT        8192
#define LIMIT_STRIDE        (1u << 20) /* bytes from row to row: a virtual desktop can be far wider than its picture */
#define LIMIT_FRAME_BYTES   (256u << 20) /* 8192 x 8192 x 4: one frame */
#define LIMIT_CURSOR        256          /* pixels: the largest hardware cursor there is */
#define LIMIT_DMABUFS       8            /* open dma-bufs for each display: triple buffering, cursors, slack */
#define LIMIT_DMABUFS_KEPT  128          /* with a driver whose ids must not be asked for twice: guests use few modes, and double buffers */
#define LIMIT_REGION_INFO   4096         /* bytes of VFIO_DEVICE_GET_REGION_INFO with its capabilities */
#define LIMIT_INTERRUPTS    64           /* a device that says it has more is not asked which is its display's */
#define LIMIT_REGIONS       64           /* likewise, for its EDID */
#define LIMIT_EDID          1024         /* bytes: eight blocks, what mbochs takes; more of a device's room is not used */

/* Guest input. */
#define LIMIT_INPUTS         4    /* sinks of one display: one of each kind */
#define LIMIT_INPUT_EVENTS   256  /* of one SendInput: a line of text */
#define LIMIT_INPUT_GROUP    64   /* events that belong together: ten fingers have some fifty */
#define LIMIT_INPUT_QUEUE    640  /* records for a VMM that does not read, some 256 keys; then groups are dropped and counted */
#define LIMIT_INPUT_SOCKET   4096 /* bytes in the kernel's buffer: what is there is too late to be replaced by something newer */
#define LIMIT_INPUT_PARTING_MS 2000 /* so long a VMM may take to read what was left when its sink ended */
#define LIMIT_INPUT_PARTINGS 256  /* such VMMs at a time, each with 9 KiB and a descriptor; more are not waited for */
#define LIMIT_INPUT_BACK     1000 /* records that are read from a VMM in a second: LEDs, which people switch */
#define LIMIT_INPUT_STEP     1000000 /* of a relative axis: more than any screen, and sums stay far from 32 bits */
#define LIMIT_INPUT_CONTACTS 16   /* fingers at the same time */
#define LIMIT_INPUT_KEYS     0x300 /* KEY_CNT of linux/input-event-codes.h */
#define LIMIT_HANDS_KEYS     32   /* that one viewer holds at the same time: people have ten fingers, keyboards report six or all */
#define LIMIT_TYPE_CHARS     1024 /* of one text to type: half a minute */
#define LIMIT_TYPE_MS        10   /* from one key event to the next: some guests' keyboards report not more often than each 8 ms */
#define LIMIT_TYPISTS        8    /* texts that wait for one display's keyboard */
#define LIMIT_CHORDS         64   /* of one SendKeys */
#define LIMIT_CHORD_CHARS    64   /* of each: "ctrl-alt-shift-backspace" */
#define LIMIT_CHORD_KEYS     8    /* down at the same time */
#define LIMIT_LAYOUT_CHARS   40   /* of a keyboard layout's name; the longest that there is has 28 */
#define LIMIT_LAYOUTS        64   /* compiled at the same time, for all displays: 10 KiB each */
#define LIMIT_INPUT_IDLE     3600 /* seconds that one viewer may keep keyboard and pointer to itself without touching them */
#define LIMIT_INPUT_AXIS     0x7fffffff /* the largest place that a VMM's device may have */

/* Adapters: vfio-display-input-qmp and -uinput. Their peers are a VMM (QMP) and the daemon. */
#define LIMIT_ADAPTER_GROUPS  32    /* groups of events that wait for QMP: what is behind them stays with the daemon, which merges it */
#define LIMIT_ADAPTER_SETTLE  16    /* keys that are let go in one call: a PS/2 keyboard has room for few codes */
#define LIMIT_ADAPTER_WAIT    5000  /* ms between two tries, at the most */
#define LIMIT_ADAPTER_CALL    5000  /* ms for the daemon to answer */
#define LIMIT_QMP_FLIGHT      4     /* calls without an answer: QEMU answers within a millisecond, and what it has cannot be merged */
#define LIMIT_QMP_ANSWER      15000 /* ms: a QEMU that is busy for longer (it saves its state) is asked again from the beginning */
#define LIMIT_QMP_MESSAGE     (64u << 10) /* bytes of one answer or event; they have some hundred */
#define LIMIT_QMP_SCHEMA      (2u << 20)  /* bytes of the answer to query-qmp-schema: 200 KB in QEMU 7.2 */
#define LIMIT_QMP_DEPTH       24    /* nesting of JSON: a parser that recurses has a stack */
#define LIMIT_QMP_MESSAGES    20000 /* answers and events in a second; then it is not read until the second ends */

/* vfio-displayctl adopt. */
#define LIMIT_ADOPT_DEVICES 64 /* VFIO devices that one process has open: a VM has a few, the widest some dozen */

/* Control socket (varlink). */
#define LIMIT_VARLINK_MESSAGE     (256u << 10) /* bytes of one message: List of one display is about 2 KiB */
#define LIMIT_VARLINK_QUEUE       (1u << 20)   /* bytes waiting for one slow peer, then it is dropped */
#define LIMIT_VARLINK_LOW         (64u << 10)  /* bytes waiting for a peer: what is made as it reads (List, Subscribe) goes on only below this */
#define LIMIT_VARLINK_FDS         16           /* descriptors with one message */
#define LIMIT_VARLINK_CONNECTIONS 2048         /* LIMIT_DISPLAYS may each hang on one */
#define LIMIT_VARLINK_PER_UID     64 /* connections of one non-root uid */
#define LIMIT_PEER_GROUPS         1024 /* supplementary groups of a peer that are kept, 4 KiB for each connection; who is in more has none here */
#define LIMIT_VARLINK_DEPTH       16 /* nesting of JSON */

/* Events (Subscribe). */
#define LIMIT_EVENTS       4096         /* that are kept for subscribers who have not read them: some seconds of the worst, minutes of the usual */
#define LIMIT_EVENT_BYTES  (4u << 20)   /* and of their texts together, a kilobyte or two each */
#define LIMIT_EVENT_MS     10           /* so long after an event those who listen are written to, once for all that has come meanwhile */

/* Viewers (the RFB program). */
#define LIMIT_VIEWERS            16         /* default of viewers for each display: each may hold one frame in its queue */
#define LIMIT_VIEWERS_MAX        128        /* the most that a context may ask for */
#define LIMIT_VIEWERS_ENDING     16         /* workers of viewers that have left, beside the others: one ends with the rectangle that it encodes */
#define LIMIT_FRAMES_MAX         240        /* updates for each second and viewer: the fastest screens there are */
#define LIMIT_GATE_VIEWERS       1024       /* at the gate, for all displays together: each is some 150 KiB there */
#define LIMIT_KNOCKING           64         /* connections that have not yet authenticated, for each display */
#define LIMIT_SNIFF_MS           200        /* a listener with WebSockets waits so long for a first byte; who says nothing speaks RFB */
#define LIMIT_HTTP_HEAD          8192       /* bytes of a WebSocket's HTTP request: browsers send their cookies too */
#define LIMIT_WEBSOCKET_FRAME    (32u << 20) /* bytes that one frame may say it has: more than a message of RFB; none is stored */
#define LIMIT_CLIENT_CERTIFICATES (32u << 10) /* bytes of a viewer's certificate chain */
#define LIMIT_PART_MS            1000       /* a viewer that did wrong may read why, before its connection is closed */
#define LIMIT_HANDSHAKE_MS       10000      /* from accept to ClientInit, but for LIMIT_PERSON_MS */
#define LIMIT_PERSON_MS          60000      /* to type a password, or to look at a certificate; the rest of a handshake is between programs */
#define LIMIT_PASSING_WORDS_MS   2000       /* a guest that has returned has its picture, most likely, within this: who comes waits for it so long */
#define LIMIT_FIRST_FRAME_MS     15000      /* from ClientInit to the picture's first frame; the broker has a placard sooner */
#define LIMIT_AUTH_DELAY_MS      1000       /* a failed password is answered so late: guessing is slow, a typing error is not */
#define LIMIT_AUTH_SUSPECT_MS   60000      /* after a failed password every answer is looked at so late: see knock.c */
#define LIMIT_SUSPECTS           256        /* addresses that have guessed wrong and are remembered, for each program */
#define LIMIT_SUSPECT_FAILURES   5          /* wrong passwords of an address before its next connections are refused */
#define LIMIT_SUSPECT_MS         10000      /* for so long, twice as long after each further one */
#define LIMIT_SUSPECT_MAX_MS     600000     /* but not longer than this */
#define LIMIT_REFUSAL_MS         2000       /* from accept to the words for an address that is refused */
#define LIMIT_SUSPECT_FORGET_MS  3600000    /* so long after its last wrong password an address is like any other */
#define LIMIT_SEALED             (16u << 10) /* bytes in one message of RSA-AES from a viewer: two times what any sends */
#define LIMIT_STALL_MS           30000      /* a viewer with data queued that takes nothing for so long is dropped */
#define LIMIT_MESSAGE_MS         30000      /* from a client message's first byte to its last */
#define LIMIT_CUT_TEXT           (16u << 20) /* bytes of cut text that are skipped, never stored; more drops the viewer */
#define LIMIT_ENCODINGS          1024       /* entries of SetEncodings that are looked at */
#define LIMIT_VIEWER_SOCKET      (256u << 10) /* bytes in the socket pair to a worker */
#define LIMIT_VIEWER_LOW         (64u << 10) /* bytes queued for a viewer: its next update starts only below this */
#define LIMIT_STUDIO             (16u << 20) /* bytes of rectangles that are kept for more than one viewer: two updates of the worst picture there is in full HD */
#define LIMIT_STUDIO_MAKERS      16          /* of them in the making at the same time, or as many as there are processors; each is 700 KiB */
#define LIMIT_FILM_PIXELS        (4u << 20)  /* of the part of a picture that is sent as a film: an encoder of that size has 80 MiB while it runs, and takes 50 ms for a picture */
#define LIMIT_FILM               (4u << 20)  /* bytes of encoded pictures of a film that are kept for viewers that are behind */
#define LIMIT_TIDY_MS            1000        /* they are looked through so often while there are any; what nobody has wanted since the last but one look goes */
#define LIMIT_FENCES             64          /* answers to fences for a viewer whose queue is not low; then it is not heard until it is */
#define LIMIT_VIEWER_UNSENT      (128u << 10) /* bytes not yet sent in a viewer's TCP socket: what is behind waits in our queue */
#define LIMIT_VIEWER_QUEUE_SLACK (3u << 20) /* a viewer's queue holds one raw frame plus a quarter, plus this: what one update has of a film, and beside pixels */

/* Who may come in: tickets, and users with their passwords (the login program). */
#define LIMIT_TICKETS         1024 /* of all displays: each look-up compares with all */
#define LIMIT_TICKETS_DISPLAY 32   /* of one: more than viewers come to it at one moment */
#define LIMIT_TICKET_SECONDS  3600 /* the longest that one lasts: it is for now */
#define LIMIT_LOGIN_MS        8000 /* a login without an answer for so long is refused, before LIMIT_HANDSHAKE_MS ends; its program is ended */
#define LIMIT_LOGIN_PROGRAMS  2    /* at the same time: slow hashes take a processor each */
#define LIMIT_LOGIN_SHARE     16   /* of one display, or the gate, at the same time: who guesses there keeps nobody else waiting */
#define LIMIT_LOGIN_QUEUE     64   /* logins that wait for one of them; more are refused */
#define LIMIT_LOGIN_IDLE_MS   10000 /* a login program that was asked nothing for so long is ended */
#define LIMIT_PASSWORDS_BYTES (1u << 20) /* of the file of users: some ten thousand */
#define LIMIT_REFUSAL_LINES   256  /* lines about refused credentials, of all displays in LIMIT_VIEWER_LINES_MS: who guesses fills no journal */

/* Moves (damage/moves.h). */
#define LIMIT_MOVES         8  /* in one publish: windows that scroll at the same moment are few */
#define LIMIT_MOVE_STEPS    400000 /* of a search for them, each about a nanosecond: more than a guest that scrolls in earnest needs */
#define LIMIT_MOVE_TABLE    16384 /* entries: twice as many as rows */
#define LIMIT_MOVES_WAITING 16 /* for a viewer that has not got to them; what moves then is damage for it */

/* The wall (broker <-> RFB program). */
#define LIMIT_GRANT_MS    5000 /* neither may_write nor busy for so long: that RFB program is stuck and is ended */
#define LIMIT_FRAMES_UNTAKEN 4 /* frames sent to an RFB program that it has not opened: each is the memory of a screen */
#define LIMIT_BUSY_MS     1000 /* so often an RFB program whose viewers still encode says so */
#define LIMIT_ENCODE_MS   60000 /* may_write not granted for so long, busy or not: 8K of noise on a loaded host takes seconds */
#define LIMIT_START_MS    10000 /* an RFB program that has not said READY by then is ended */
#define LIMIT_RESPAWN_MS  1000 /* not more often than this is an RFB program started for one display */
#define LIMIT_LINK_PENDING 256 /* messages to the broker that wait; nobody is admitted while there are more */
#define LIMIT_STROKES     256  /* keys and pointer moves of a viewer that wait while the broker does not read; then they are thrown away and counted */
#define LIMIT_STROKES_MS  5000 /* what a viewer typed and nobody read for so long, since no broker was there, is not typed any more */
#define LIMIT_RESIZE_MS   250  /* not more often than this is a viewer's wish for another size heard, the newest then */
#define LIMIT_POWER_MS   1000 /* not more often than this is a wish for a shutdown, for a reboot and for a reset heard, others are refused */
#define LIMIT_WISH_MS     10000 /* a new size so long after a viewer's wish for it is its wish come true */
#define LIMIT_LISTENERS   8    /* listening sockets for each display */
#define LIMIT_INHERITED 64 /* sockets that systemd hands over: one for the control socket, some for the gate, some for displays */
#define LIMIT_PEM (64u << 10)  /* bytes of a certificate chain, a key or the authorities */

#define LIMIT_VIEWER_LINES 256   /* lines about viewers that come and go, for each display and LIMIT_VIEWER_LINES_MS: who connects again and again fills no journal */
#define LIMIT_VIEWER_LINES_MS 60000
#define LIMIT_AUDIT_LINES  2048  /* lines about calls of one user in LIMIT_VIEWER_LINES_MS: all displays may be registered at once, and some more */
#define LIMIT_AUDIT_BUCKETS 1024 /* in which lines are counted: users, and displays where it is about viewers */
#define LIMIT_LOG_LINES    4096  /* of a program, but for audit lines, in LIMIT_VIEWER_LINES_MS: journald throws lines of a flood away, those of the audit too */
#define LIMIT_CALLER_LINES 64    /* lines about connections of one user that ended badly or were refused, in LIMIT_VIEWER_LINES_MS */

/* The import program (dma-bufs that the CPU cannot map). It starts within LIMIT_START_MS. */
#define LIMIT_IMPORT_REST_MS  60000 /* one that ends sooner rests twice as long as the last one did, from LIMIT_RESPAWN_MS up to this: each leaves lines in the journal */
#define LIMIT_IMPORT_COPY_MS  2000 /* a picture that is not copied by then: the program is ended. The slowest seen is some 100 ms */
#define LIMIT_IMPORT_LOOK_MS  500  /* one look waits so long for a program that starts, the next one goes on */
#define LIMIT_IMPORT_IDLE_MS  10000 /* a program that was asked for nothing for so long ends: nobody looks */
#define LIMIT_IMPORT_RETRY_MS 1000 /* a buffer that the node's driver refused is offered again */
#define LIMIT_IMPORT_END_MS   500  /* a killed program is waited for, so that it holds no dma-buf; a driver can keep it longer */

/* Metrics (the metrics program, and the broker for it). */
#define LIMIT_METRICS_CONNECTIONS 32 /* at a time; more wait in the listener's queue. A host has one or two that scrape it */
#define LIMIT_METRICS_CONNECTION_MS 20000 /* the longest that one lasts: slower ones are cut off */
#define LIMIT_METRICS_YIELD_MS 500 /* the longest that one lasts while all places are taken, but for what the broker takes to answer */
#define LIMIT_METRICS_SILENCE_MS 5000 /* one on which nothing moves for so long is closed */
#define LIMIT_METRICS_HEAD   4096 /* bytes of a request; it has no body */
#define LIMIT_METRICS_MS     100 /* the broker makes a text not more often than this */
#define LIMIT_METRICS_WAIT_MS 5000 /* a request that the broker has not answered by then is refused */
#define LIMIT_METRICS_IDLE_MS 120000 /* a program that nobody asked for so long ends; Prometheus asks at least each minute */
#define LIMIT_METRICS_LISTENERS 4 /* listening sockets: systemd's and the configured one */
#define LIMIT_METRICS_BYTES  (64u << 20) /* of one text: some 2 KiB for each display */
#define LIMIT_HEALTH_MS      2000 /* /healthz: a broker whose loop has not answered by then is not well */
#define LIMIT_DUMP_LINES     2000 /* lines that one SIGUSR1 writes to the journal */
#define LIMIT_STATUS_MS      1000 /* systemd is told how many displays and viewers there are not more often than this */

/* Time that a driver may take. */
#define LIMIT_QUERY_SLOW_MS  1000 /* a plane query without an answer for so long shows in List */
#define LIMIT_REGISTER_MS    2000 /* Register answers with "offered" when the device's probe takes longer */
#define LIMIT_SNAPSHOT_MS    5000 /* Capture answers NotLive when the picture takes longer */
#define LIMIT_ADOPT_PROBE_MS 5000 /* vfio-displayctl adopt: a device that says nothing for so long is passed over */
#define LIMIT_UNREGISTER_MS  30000 /* Unregister's reply gives up waiting for a stuck driver after this */

/* What systemd keeps for a restart (state/store.h). FileDescriptorStoreMax= of the unit says the same number as the first. */
#define LIMIT_STORE        12288        /* descriptors: a dozen for each of LIMIT_DISPLAYS' displays */
#define LIMIT_STORE_NAMES  (120u << 10) /* bytes of all names: the kernel lets one environment variable be 128 KiB long */
#define LIMIT_STORE_MS     2000         /* systemd has not done what it was told for so long: it is not waited for */
#define LIMIT_RECORD_BYTES (96u << 10)  /* of what is written down of one display: its context and LIMIT_VIEWERS_MAX viewers */

/* vfio-displayd-registrar: etcd, Redis and the daemon. */
#define LIMIT_REGISTRAR_SERVERS  16          /* of one etcd: nobody has more than nine */
#define LIMIT_REGISTRAR_ANSWER   (16u << 20) /* bytes of one answer of etcd: a batch of the largest records is a tenth */
#define LIMIT_REGISTRAR_BATCH    64          /* records written or read at once: etcd takes 128 in one transaction, and 1.5 MiB */
#define LIMIT_REGISTRAR_DISPLAYS 4096        /* of one daemon: more than it can have */
#define LIMIT_REGISTRAR_CALL_MS  3000        /* a peer without an answer for so long is tried again, or another one */
#define LIMIT_REGISTRAR_RETRY_MS 1000        /* a peer that was not there is left alone for so long */
#define LIMIT_REGISTRAR_READY_MS 10000       /* a daemon that has not told of all its displays by then is asked anew */
#define LIMIT_REGISTRAR_EVENTS   256         /* of the daemon, in one go: then etcd has its turn */
#define LIMIT_REGISTRAR_PACE_MS  100         /* from one write to the next: a display that flickers costs etcd ten writes a second */
#define LIMIT_REGISTRAR_LOOK_MS  30000       /* the truth is looked up so often, whatever was said of changes */

/* The configuration file. Only its owner can push against these; they keep a wrong path from being read for ever. */
#define LIMIT_CONFIG_BYTES (64u << 10)
#define LIMIT_CONFIG_LINE  1024u

/* The policy file. Only root can push against these; each call is compared with all lines. */
#define LIMIT_POLICY_BYTES    (256u << 10)
#define LIMIT_POLICY_RULES    1024
#define LIMIT_POLICY_SUBJECTS 4096 /* users and groups that it names */
