"""Messages of Huawei Cloud Simple Message Notification (SMN): their form, their signature, their certificate."""
