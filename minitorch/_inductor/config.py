"""Same path as torch._inductor.config: whatever programs set in it changes nothing."""
