<?php
// The current date and time of ?timezone=.
header('Content-Type: text/plain; charset=utf-8');
if (!isset($_GET['timezone'])) {
    http_response_code(400);
    exit("Error: Timezone not provided\n");
}
$timezone = trim($_GET['timezone']);
if ($timezone === '') {
    http_response_code(400);
    exit("Error: Timezone cannot be empty\n");
}
try {
    $now = new DateTime('now', new DateTimeZone($timezone));
} catch (Exception $error) {
    http_response_code(400);
    exit("Error: Invalid timezone value\n");
}
echo "Current date and time for $timezone is " . $now->format('Y-m-d H:i:s') . "\n";
