"""A model of conversations, in MLflow's own form."""

from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import ChatModel
from mlflow.types.llm import ChatChoice, ChatCompletionResponse, ChatMessage, ChatParams


class Chat(ChatModel):
    def predict(
        self, context: Any, messages: list[ChatMessage], params: ChatParams
    ) -> ChatCompletionResponse:
        told = f"{len(messages)} {messages[-1].content} {params.temperature}"
        choice = ChatChoice(message=ChatMessage(role="assistant", content=told))
        return ChatCompletionResponse(choices=[choice], model="chat", created=0)


set_model(Chat())
