/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission.h - ties a display to who knows tickets and users: what its RFB program asks, credentials.h answers. Main thread. */
#pragma once

struct credentials;
struct display;

/* Just after display_create(). @credentials outlives the display, or admission_end() comes first. */
void admission_begin(struct display *display, struct credentials *credentials);
/* Its tickets are gone, and nobody who waits comes in any more. */
void admission_end(struct display *display, struct credentials *credentials);
